package prosocial

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Swapped is a text with its gender swapped.
type Swapped struct {
	Text  string
	Words int // that were swapped
	First int // of these, that their pairs begin with: men's in graft's list
	// Ambiguous are swaps that a second swap does not undo: him before what may be a noun ("gave him books" becomes "gave her
	// books", and that "gave his books"), and hers before one.
	Ambiguous int
}

// Swap puts the other word of its pair in the place of every word that is in one. Case is kept of words that are lower case, upper
// case, or begin with a capital; other spellings stay as they are. Punctuation, hyphens, 's and other endings behind an
// apostrophe are no part of a word, unless a pair has them. her becomes his where a noun may follow and him where none can; his
// becomes her and hers in the same way. Swapping twice gives the text back where nothing was ambiguous. The text must be UTF-8.
func (w *Words) Swap(text string) Swapped {
	var out strings.Builder
	var s Swapped
	for at := 0; at < len(text); {
		n := wordLength(text[at:])
		if n == 0 {
			_, n = utf8.DecodeRuneInString(text[at:])
			out.WriteString(text[at : at+n])
			at += n
			continue
		}
		to, word, ambiguous := w.other(text[at:at+n], text[at+n:])
		if word == 0 { // it stays
			out.WriteString(text[at : at+n])
		} else {
			out.WriteString(to)
			out.WriteString(text[at+word : at+n])
			s.Words++
			if base := strings.ToLower(text[at : at+word]); w.first[base] || base == "his" || base == "him" {
				s.First++
			}
			if ambiguous {
				s.Ambiguous++
			}
		}
		at += n
	}
	s.Text = out.String()
	return s
}

// other is what a word becomes, of which the first length bytes are replaced; 0: it stays.
func (w *Words) other(word, rest string) (to string, length int, ambiguous bool) {
	for _, length := range []int{len(word), strings.IndexAny(word, "'’")} {
		if length <= 0 {
			continue
		}
		base := word[:length]
		shape := shapeOf(base)
		if shape == mixedCase {
			continue
		}
		lower := strings.ToLower(base)
		if to, ambiguous, ok := pronounOf(lower, rest, length == len(word)); ok && w.pronouns {
			return shape.apply(to), length, ambiguous
		}
		if to, ok := w.pairs[lower]; ok {
			return shape.apply(to), length, false
		}
		if to, ok := w.names[lower]; ok && shape != lowerCase {
			return shape.apply(to), length, false
		}
	}
	return "", 0, false
}

// pronounOf swaps the pronouns that need what follows.
func pronounOf(word, rest string, whole bool) (to string, ambiguous, ok bool) {
	noun := whole && nounMayFollow(rest)
	switch word {
	case "her":
		if noun {
			return "his", false, true
		}
		return "him", false, true
	case "his":
		if noun {
			return "her", false, true
		}
		return "hers", false, true
	case "him":
		return "her", noun, true
	case "hers":
		return "his", noun, true
	}
	return "", false, false
}

// nounMayFollow reports whether a text begins with spaces and a word that may begin a noun phrase: any but those that never stand
// between a possessive and its noun.
func nounMayFollow(rest string) bool {
	word := strings.TrimLeft(rest, " \t\r\n\u00a0")
	if len(word) == len(rest) {
		return false
	}
	n := wordLength(word)
	if n == 0 {
		// A number, a quotation or a bracket may begin one: her 3 sons, her "friend".
		r, _ := utf8.DecodeRuneInString(word)
		return unicode.IsDigit(r) || strings.ContainsRune("\"“‘$£€", r)
	}
	lower := strings.ToLower(word[:n])
	if i := strings.IndexAny(lower, "'’"); i > 0 && !neverNouns[lower] {
		lower = lower[:i]
	}
	return !neverNouns[lower]
}

// wordLength is how many bytes the word has that a text begins with: letters and marks, and apostrophes between letters.
func wordLength(text string) int {
	n := 0
	for n < len(text) {
		r, size := utf8.DecodeRuneInString(text[n:])
		switch {
		case unicode.IsLetter(r) || n > 0 && unicode.IsMark(r):
			n += size
			continue
		case n > 0 && (r == '\'' || r == '’'):
			if next, _ := utf8.DecodeRuneInString(text[n+size:]); unicode.IsLetter(next) {
				n += size
				continue
			}
		}
		break
	}
	return n
}

// letterCase is how a word is spelled.
type letterCase int

const (
	lowerCase letterCase = iota
	titleCase
	upperCase
	mixedCase
)

func shapeOf(word string) letterCase {
	first, size := utf8.DecodeRuneInString(word)
	rest := word[size:]
	switch {
	case word == strings.ToLower(word):
		return lowerCase
	case word == strings.ToUpper(word) && utf8.RuneCountInString(word) > 1:
		return upperCase
	case unicode.IsUpper(first) && rest == strings.ToLower(rest):
		return titleCase
	}
	return mixedCase
}

func (c letterCase) apply(word string) string {
	switch c {
	case upperCase:
		return strings.ToUpper(word)
	case titleCase:
		first, size := utf8.DecodeRuneInString(word)
		return string(unicode.ToUpper(first)) + word[size:]
	}
	return word
}

// neverNouns are words that do not stand between a possessive and its noun: determiners, pronouns, prepositions, conjunctions,
// auxiliaries, and adverbs that follow an object. Of each pair that is swapped it has both words or none.
var neverNouns = func() map[string]bool {
	set := map[string]bool{}
	for _, word := range strings.Fields(`a an the this that these those some any each every no all both either neither such
		i you he she it we they me him us them himself herself itself myself yourself ourselves themselves who whom whose which what
		his her hers my your our their its mine yours ours theirs
		of in on at by for with about against between into through during before after above below to from up down out off over under
		again further then once here there when where why how away back around along across behind beyond near without within upon
		toward towards until till since despite except like unlike amid among onto per via inside outside past
		and or but nor so yet if because as than while although though whether unless
		is am are was were be been being has have had having do does did done will would shall should can could may might must ought
		isn't aren't wasn't weren't hasn't haven't hadn't don't doesn't didn't won't wouldn't shan't shouldn't can't cannot couldn't
		not never always often sometimes ever just only also too even still already soon now today tonight tomorrow yesterday
		anymore anyway alone instead together very much well quite rather really quickly slowly
		go come get make let say says said went came got made told asked`) {
		set[word] = true
	}
	delete(set, "very") // her very first day
	return set
}()
