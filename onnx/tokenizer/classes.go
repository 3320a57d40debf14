package tokenizer

import (
	_ "embed"
	"strconv"
	"strings"
	"sync"
	"unicode"
)

//go:embed classes.txt
var classesText string

// classTables are classes of code points, and the small letters that unicode.ToLower does not know.
type classTables struct {
	byName map[string]*unicode.RangeTable
	lower  map[rune]string
}

// classes are what Hugging Face tokenizers takes for a letter, a mark, punctuation and so on. Its parts know different versions of
// Unicode, all but the oldest of them other than Go's; testdata/peers/tokenizer_classes.py measures them.
var classes = sync.OnceValue(func() classTables {
	c := classTables{map[string]*unicode.RangeTable{}, map[rune]string{}}
	number := func(s string) uint32 {
		n, _ := strconv.ParseUint(s, 36, 32)
		return uint32(n)
	}
	for line := range strings.Lines(classesText) {
		words := strings.Fields(line)
		if words[0] == "lower" {
			var small strings.Builder
			for _, w := range words[2:] {
				small.WriteRune(rune(number(w)))
			}
			c.lower[rune(number(words[1]))] = small.String()
			continue
		}
		table, at := &unicode.RangeTable{}, uint32(0)
		for i := 1; i+1 < len(words); i += 2 {
			first := at + number(words[i])
			at = first + number(words[i+1])
			if first < 0x10000 && at > 0x10000 {
				table.R16 = append(table.R16, unicode.Range16{Lo: uint16(first), Hi: 0xffff, Stride: 1})
				first = 0x10000
			}
			if at <= 0x10000 {
				table.R16 = append(table.R16, unicode.Range16{Lo: uint16(first), Hi: uint16(at - 1), Stride: 1})
			} else {
				table.R32 = append(table.R32, unicode.Range32{Lo: first, Hi: at - 1, Stride: 1})
			}
		}
		for _, r := range table.R16 {
			if r.Hi <= unicode.MaxLatin1 {
				table.LatinOffset++
			}
		}
		c.byName[words[0]] = table
	}
	return c
})

func class(name string) *unicode.RangeTable { return classes().byName[name] }

// Bits of kinds, which every pattern in use asks for.
const (
	isLetter = 1 << iota
	isNumber
	isSpace
	isNewline // \r and \n
	isUpper   // Lu, Lt, Lm, Lo and M
	isLower   // Ll, Lm, Lo and M
)

// kinds are the bits of the first 0x3000 code points; kindOf knows all.
var kinds = sync.OnceValue(func() *[0x3000]uint8 {
	var table [0x3000]uint8
	for c := range table {
		table[c] = slowKind(rune(c))
	}
	return &table
})

func slowKind(c rune) (k uint8) {
	for _, row := range []struct {
		name string
		bits uint8
	}{{"L", isLetter}, {"N", isNumber}, {"Lu", isUpper}, {"Lt", isUpper}, {"Lm", isUpper | isLower}, {"Lo", isUpper | isLower}, {"M", isUpper | isLower}, {"Ll", isLower}} {
		if unicode.Is(class(row.name), c) {
			k |= row.bits
		}
	}
	if unicode.IsSpace(c) {
		k |= isSpace
	}
	if c == '\r' || c == '\n' {
		k |= isNewline
	}
	return k
}

func kindOf(table *[0x3000]uint8, c rune) uint8 {
	if c < 0x3000 {
		return table[c]
	}
	if c >= 0x4E00 && c <= 0x9FFF || c >= 0xAC00 && c <= 0xD7A3 {
		return isLetter | isUpper | isLower // ideographs and syllables
	}
	return slowKind(c)
}
