package tokenizer

import (
	"strings"
	"sync"
)

// byteRunes are the visible characters that stand for bytes in a byte-level vocabulary: printable ones of Latin-1 for themselves, the
// others in turn from 256 on.
var byteRunes = sync.OnceValue(func() *[256]rune {
	var table [256]rune
	next := rune(256)
	for b := range table {
		if b >= '!' && b <= '~' || b >= 0xa1 && b <= 0xac || b >= 0xae {
			table[b] = rune(b)
		} else {
			table[b] = next
			next++
		}
	}
	return &table
})

// runeBytes is the inverse of byteRunes; -1 for none.
var runeBytes = sync.OnceValue(func() *[512]int16 {
	var table [512]int16
	for i := range table {
		table[i] = -1
	}
	for b, c := range byteRunes() {
		table[c] = int16(b)
	}
	return &table
})

// visible writes bytes as the characters of a byte-level vocabulary.
func visible(s string) string {
	table := byteRunes()
	var b strings.Builder
	b.Grow(2 * len(s))
	for i := range len(s) {
		b.WriteRune(table[s[i]])
	}
	return b.String()
}

// invisible is the inverse of visible; ok is false where a character stands for no byte.
func invisible(dst []byte, s string) (out []byte, ok bool) {
	table := runeBytes()
	for _, c := range s {
		if c >= 512 || table[c] < 0 {
			return dst, false
		}
		dst = append(dst, byte(table[c]))
	}
	return dst, true
}
