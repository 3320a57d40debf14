package tokenizer

import "unicode/utf8"

// A scanner gives the length of the piece that s, which is not empty, begins with. Scanners are patterns whose last alternatives are
// \s+(?!\S)|\s+, written by hand: white space keeps its last character for the word behind it.
type scanner func(s string) int

// knownPatterns are written by hand, to be fast and because their look-ahead is in no regular expression of Go's. Possessive
// quantifiers stand where giving back could not make a match.
var knownPatterns = map[string]scanner{
	gpt2Pattern: scanGPT2,
	`'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`:                                                                     scanGPT2,
	`(?:'s|'t|'re|'ve|'m|'ll|'d)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`:                                                              scanGPT2,
	`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`:                         words(3),
	`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`:                              words(1),
	`(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`: plainWords(1),
	`'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+`:                               words(3),
	`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+`:                          words(3),
}

// gpt2Pattern is the pattern of ByteLevel with use_regex.
const gpt2Pattern = `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`

func scanGPT2(s string) int {
	if n := contraction(s, false, false); n > 0 {
		return n
	}
	table, at := kinds(), 0
	if s[0] == ' ' && len(s) > 1 {
		at = 1
	}
	k, n := first(table, s[at:])
	switch {
	case k&isLetter != 0:
		return run(table, s, at+n, isLetter, isLetter)
	case k&isNumber != 0:
		return run(table, s, at+n, isNumber, isNumber)
	case k&isSpace == 0:
		return run(table, s, at+n, isLetter|isNumber|isSpace, 0)
	}
	return scanSpace(table, s)
}

// words is the pattern of GPT-4 and its descendants, with numbers of up to digits digits in a piece.
func words(digits int) scanner      { return func(s string) int { return scanWords(s, digits, true) } }
func plainWords(digits int) scanner { return func(s string) int { return scanWords(s, digits, false) } }

// scanWords takes the long s for an s where fold is set, as a case-insensitive match does.
func scanWords(s string, digits int, fold bool) int {
	if n := contraction(s, true, fold); n > 0 {
		return n
	}
	table := kinds()
	k, n := first(table, s)
	if k&isLetter != 0 {
		return run(table, s, n, isLetter, isLetter)
	}
	if k&(isNumber|isNewline) == 0 && n < len(s) {
		if k, m := first(table, s[n:]); k&isLetter != 0 {
			return run(table, s, n+m, isLetter, isLetter)
		}
	}
	if k&isNumber != 0 {
		for i := 1; i < digits && n < len(s); i++ {
			k, m := first(table, s[n:])
			if k&isNumber == 0 {
				break
			}
			n += m
		}
		return n
	}
	at := 0
	if s[0] == ' ' && len(s) > 1 {
		at = 1
	}
	if k, n := first(table, s[at:]); k&(isLetter|isNumber|isSpace) == 0 {
		end := run(table, s, at+n, isLetter|isNumber|isSpace, 0)
		return run(table, s, end, isNewline, isNewline)
	}
	end := run(table, s, 0, isSpace, isSpace)
	for i := end - 1; i >= 0; i-- { // \s*[\r\n]+ ends behind the last newline
		if s[i] == '\n' || s[i] == '\r' {
			return i + 1
		}
	}
	return scanSpace(table, s)
}

// scanSpace is \s+(?!\S)|\s+ where s begins with white space.
func scanSpace(table *[0x3000]uint8, s string) int {
	end := run(table, s, 0, isSpace, isSpace)
	if end == len(s) {
		return end
	}
	if _, n := utf8.DecodeLastRuneInString(s[:end]); n < end {
		return end - n
	}
	return end
}

// contraction is the length of 's, 't, 're, 've, 'm, 'll or 'd at the beginning of s.
func contraction(s string, anyCase, fold bool) int {
	if len(s) < 2 || s[0] != '\'' {
		return 0
	}
	at := func(i int) byte {
		if i >= len(s) {
			return 0
		}
		if c := s[i]; anyCase && c >= 'A' && c <= 'Z' {
			return c + 'a' - 'A'
		}
		return s[i]
	}
	switch a, b := at(1), at(2); {
	case a == 's', a == 't', a == 'm', a == 'd':
		return 2
	case (a == 'r' || a == 'v') && b == 'e', a == 'l' && b == 'l':
		return 3
	}
	if fold && len(s) >= 3 && s[1:3] == "ſ" {
		return 3
	}
	return 0
}

// first is the kind and length of the first character of s.
func first(table *[0x3000]uint8, s string) (kind uint8, n int) {
	if c := s[0]; c < utf8.RuneSelf {
		return table[c], 1
	}
	c, n := utf8.DecodeRuneInString(s)
	return kindOf(table, c), n
}

// run is the end of the characters from at on whose kind has, of mask, the bits want: all letters, or all that is none of mask.
func run(table *[0x3000]uint8, s string, at int, mask, want uint8) int {
	for at < len(s) {
		k, n := first(table, s[at:])
		if k&mask != want {
			break
		}
		at += n
	}
	return at
}
