package prosocial

import (
	"strings"
	"unicode/utf8"
)

// Gendered counts the words of a text that Swap would swap: the first ones of their pairs, which are a man's in graft's list, and the
// others.
func (w *Words) Gendered(text string) (first, second int) {
	for at := 0; at < len(text); {
		n := wordLength(text[at:])
		if n == 0 {
			_, n = utf8.DecodeRuneInString(text[at:])
			at += n
			continue
		}
		if _, length, _ := w.other(text[at:at+n], text[at+n:]); length > 0 {
			switch word := strings.ToLower(text[at : at+length]); {
			case w.first[word] || w.pronouns && (word == "him" || word == "his"):
				first++
			default:
				second++
			}
		}
		at += n
	}
	return first, second
}
