package tokenizer

import (
	"slices"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// normalForm is NFC, NFD, NFKC or NFKD of the Unicode that tokenizers knows: newer characters neither move, decompose nor come of others.
// golang.org/x/text has the tables; its own algorithm parts runs of more than 30 marks, which these forms do not.
func normalForm(f norm.Form) normalizer {
	decomposed, composed := norm.NFD, f == norm.NFC || f == norm.NFKC
	if f == norm.NFKC || f == norm.NFKD {
		decomposed = norm.NFKD
	}
	return func(s string) string {
		if ascii(s) || f.IsNormalString(s) {
			return s
		}
		list := decompose(s, decomposed)
		if composed {
			list = compose(list)
		}
		out := make([]byte, 0, len(s)+len(s)/4)
		for _, m := range list {
			out = utf8.AppendRune(out, m.char)
		}
		return string(out)
	}
}

// mark is a character with its canonical combining class; 0: one that others gather behind.
type mark struct {
	char  rune
	order uint8
}

const (
	hangul, lead, vowel, trail       = 0xAC00, 0x1100, 0x1161, 0x11A7
	leads, vowels, trails, syllables = 19, 21, 28, leads * vowels * trails
)

// decompose is the full decomposition with marks in their canonical order.
func decompose(s string, f norm.Form) []mark {
	known := class("nf")
	list := make([]mark, 0, len(s))
	for i, c := range s {
		switch {
		case c < utf8.RuneSelf:
			list = append(list, mark{c, 0})
		case c >= hangul && c < hangul+syllables:
			n := c - hangul
			list = append(list, mark{lead + n/(vowels*trails), 0}, mark{vowel + n%(vowels*trails)/trails, 0})
			if n%trails > 0 {
				list = append(list, mark{trail + n%trails, 0})
			}
		case !unicode.Is(known, c):
			list = append(list, mark{c, 0})
		default:
			p := f.PropertiesString(s[i:])
			parts := p.Decomposition()
			if parts == nil {
				list = append(list, mark{c, p.CCC()})
			}
			for len(parts) > 0 {
				part, n := utf8.DecodeRune(parts)
				list = append(list, mark{part, f.Properties(parts).CCC()})
				parts = parts[n:]
			}
		}
	}
	for i := 0; i < len(list); i++ {
		start := i
		for i < len(list) && list[i].order > 0 {
			i++
		}
		if i-start > 1 {
			slices.SortStableFunc(list[start:i], func(a, b mark) int { return int(a.order) - int(b.order) })
		}
	}
	return list
}

// compose joins every mark to the last character that it may reach.
func compose(list []mark) []mark {
	out := list[:0]
	starter := -1    // in out
	last := uint8(0) // the class of what stands between; 0: nothing, or a character that is in the way
	for _, m := range list {
		if starter >= 0 && (last < m.order || last == 0 && starter == len(out)-1) {
			if c := composite(out[starter].char, m.char); c != 0 {
				out[starter].char = c
				continue
			}
		}
		if m.order == 0 {
			starter = len(out)
		}
		last = m.order
		out = append(out, m)
	}
	return out
}

// composite is the character that two make; 0 for none.
func composite(a, b rune) rune {
	switch {
	case a >= lead && a < lead+leads && b >= vowel && b < vowel+vowels:
		return hangul + ((a-lead)*vowels+(b-vowel))*trails
	case a >= hangul && a < hangul+syllables && (a-hangul)%trails == 0 && b > trail && b < trail+trails:
		return a + b - trail
	case b < 0x300:
		return 0
	}
	var room [2 * utf8.UTFMax]byte
	two := utf8.AppendRune(utf8.AppendRune(room[:0], a), b)
	one := norm.NFC.Bytes(two)
	c, n := utf8.DecodeRune(one)
	if n != len(one) || !unicode.Is(class("nf"), c) {
		return 0
	}
	return c
}
