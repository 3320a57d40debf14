package bias

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"graft/onnx/limits"
)

// WinoPair is a sentence with a pronoun that a stereotype about occupations suggests, and the same with the other pronoun
// (Zhao et al. 2018).
type WinoPair struct {
	Before, After string // of the pronoun
	Pro, Anti     string // the pronouns
	Category      string // "type1" or "type2": with world knowledge alone, or with syntax, to tell whom the pronoun means
	Part          string // "dev" or "test"
	Line          int
}

// WinoBias is a set of pairs.
type WinoBias struct {
	Pairs []WinoPair
	Skips Skips
}

// ReadWinoBias reads pairs of files as published, pro_stereotyped_typeN.txt.PART and anti_stereotyped_typeN.txt.PART, of
// types 1 and 2 and parts dev and test, as many as there are in the folder. Sentences are paired by line.
func ReadWinoBias(folder string) (*WinoBias, error) {
	set := &WinoBias{}
	files := 0
	for _, kind := range []string{"type1", "type2"} {
		for _, part := range []string{"dev", "test"} {
			pro := filepath.Join(folder, "pro_stereotyped_"+kind+".txt."+part)
			anti := filepath.Join(folder, "anti_stereotyped_"+kind+".txt."+part)
			if _, err := os.Stat(pro); err != nil {
				continue
			}
			files++
			if err := set.read(pro, anti, kind, part); err != nil {
				return nil, err
			}
		}
	}
	if files == 0 {
		return nil, limits.InFile(folder, limits.Refuse("", "no pro_stereotyped_type1.txt.dev or another file of WinoBias"))
	}
	if len(set.Pairs) == 0 {
		return nil, set.Skips.nothing(folder, "pair of WinoBias")
	}
	return set, nil
}

var (
	winoNumber  = regexp.MustCompile(`^\d+\s+`)
	winoBracket = regexp.MustCompile(`\[([^\[\]]*)\]`)
)

func (set *WinoBias) read(pro, anti, kind, part string) error {
	var sides [2]map[int]string
	for i, path := range []string{pro, anti} {
		data, err := readFile(path)
		if err != nil {
			return err
		}
		sides[i] = map[int]string{}
		if err := eachLine(path, data, &set.Skips, func(number int, line []byte) {
			sides[i][number] = winoNumber.ReplaceAllString(string(line), "")
		}); err != nil {
			return err
		}
	}
	last := 0
	for _, side := range sides {
		for number := range side {
			last = max(last, number)
		}
	}
	for number := 1; number <= last; number++ {
		p, there := sides[0][number]
		a, also := sides[1][number]
		if !there && !also {
			continue
		}
		pair, reason := winoPair(p, a)
		if there != also {
			reason = "the other file has no such line"
		}
		if reason != "" {
			set.Skips.add(Skipped{File: pro, Line: number, Reason: reason})
			continue
		}
		pair.Category, pair.Part, pair.Line = kind, part, number
		set.Pairs = append(set.Pairs, pair)
	}
	return nil
}

// winoPair takes two sentences apart at the pronoun. What is around it is taken of the first: one pair in twenty-five of the
// published files differs by a slip of the pen there too.
func winoPair(pro, anti string) (WinoPair, string) {
	var before, word, after [2]string
	for i, s := range []string{pro, anti} {
		at := winoBracket.FindAllStringSubmatchIndex(s, -1)
		if len(at) < 2 {
			return WinoPair{}, fmt.Sprintf("%d pairs of brackets, want one around a person and one around a pronoun", len(at))
		}
		// The pronoun may stand before the person.
		k := len(at) - 1
		if !pronoun(s[at[k][2]:at[k][3]]) {
			for k = 0; k < len(at)-1 && !pronoun(s[at[k][2]:at[k][3]]); k++ {
			}
		}
		if word[i] = s[at[k][2]:at[k][3]]; !pronoun(word[i]) {
			return WinoPair{}, "no brackets around a pronoun"
		}
		before[i], after[i] = unbracket(s[:at[k][0]]), unbracket(s[at[k][1]:])
	}
	if !opposite(word[0], word[1]) {
		return WinoPair{}, fmt.Sprintf("the pronouns are %s and %s, want one of each gender", limits.Name(word[0]), limits.Name(word[1]))
	}
	return WinoPair{Before: before[0], After: after[0], Pro: word[0], Anti: word[1]}, ""
}

func pronoun(s string) bool {
	switch strings.ToLower(s) {
	case "he", "him", "his", "she", "her", "hers", "himself", "herself":
		return true
	}
	return false
}

// opposite reports whether two pronouns are the same in another gender.
func opposite(a, b string) bool {
	a, b = strings.ToLower(a), strings.ToLower(b)
	for _, pair := range [][2]string{{"he", "she"}, {"him", "her"}, {"his", "her"}, {"his", "hers"}, {"himself", "herself"}} {
		if a == pair[0] && b == pair[1] || a == pair[1] && b == pair[0] {
			return true
		}
	}
	return false
}

func unbracket(s string) string { return strings.NewReplacer("[", "", "]", "").Replace(s) }
