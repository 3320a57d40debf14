package tokenizer

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// A normalizer rewrites text before it is cut.
type normalizer func(s string) string

func inTurn(list []normalizer) normalizer {
	return func(s string) string {
		for _, n := range list {
			s = n(s)
		}
		return s
	}
}

func prepend(prefix string) normalizer {
	return func(s string) string {
		if s == "" {
			return s
		}
		return prefix + s
	}
}

// replace puts content in the place of every match.
func replace(p *pattern, content string) normalizer {
	return func(s string) string {
		var b strings.Builder
		at := 0
		p.each(s, func(from, to int) {
			b.WriteString(s[at:from])
			b.WriteString(content)
			at = to
		})
		if at == 0 && b.Len() == 0 {
			return s
		}
		b.WriteString(s[at:])
		return b.String()
	}
}

func strip(left, right bool) normalizer {
	return func(s string) string {
		if left {
			s = strings.TrimLeftFunc(s, unicode.IsSpace)
		}
		if right {
			s = strings.TrimRightFunc(s, unicode.IsSpace)
		}
		return s
	}
}

// lowercase is letter by letter: a final sigma is like any other.
func lowercase(s string) string {
	if ascii(s) {
		return strings.ToLower(s)
	}
	var b strings.Builder
	b.Grow(len(s))
	for _, c := range s {
		if c < utf8.RuneSelf {
			if c >= 'A' && c <= 'Z' {
				c += 'a' - 'A'
			}
			b.WriteByte(byte(c))
		} else if small, ok := classes().lower[c]; ok {
			b.WriteString(small)
		} else {
			b.WriteRune(unicode.ToLower(c))
		}
	}
	return b.String()
}

func without(s string, table *unicode.RangeTable) string {
	if ascii(s) {
		return s
	}
	return strings.Map(func(c rune) rune {
		if unicode.Is(table, c) {
			return -1
		}
		return c
	}, s)
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// bertNormalizer is that of BERT: no control characters, one kind of space, ideographs between spaces, no accents, small letters.
type bertNormalizer struct{ clean, chinese, accents, lower bool }

func (n bertNormalizer) normalize(s string) string {
	if n.clean || n.chinese {
		s = n.cleaned(s)
	}
	if n.accents && !ascii(s) {
		s = without(normalForm(norm.NFD)(s), class("mn"))
	}
	if n.lower {
		s = lowercase(s)
	}
	return s
}

func (n bertNormalizer) cleaned(s string) string {
	simple := true
	for i := 0; i < len(s) && simple; i++ {
		simple = s[i] >= ' ' && s[i] < 0x7f
	}
	if simple {
		return s
	}
	control, chinese := class("control"), class("chinese")
	var b strings.Builder
	b.Grow(len(s) + len(s)/4)
	for _, c := range s {
		switch {
		case n.clean && unicode.Is(control, c):
		case n.clean && unicode.IsSpace(c):
			b.WriteByte(' ')
		case n.chinese && c >= 0x3400 && unicode.Is(chinese, c):
			b.WriteByte(' ')
			b.WriteRune(c)
			b.WriteByte(' ')
		default:
			b.WriteRune(c)
		}
	}
	return b.String()
}

// nmt is the cleaning of SentencePiece's nmt rules.
func nmt(s string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case c >= 1 && c <= 8, c == 0xb, c >= 0xe && c <= 0x1f, c == 0x7f, c == 0x8f, c == 0x9f:
			return -1
		case c == '\t', c == '\n', c == '\f', c == '\r', c == 0x1680, c >= 0x200b && c <= 0x200f, c == 0x2028, c == 0x2029, c == 0x2581, c == 0xfeff, c == 0xfffd:
			return ' '
		}
		return c
	}, s)
}
