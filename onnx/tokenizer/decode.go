package tokenizer

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// A decoder rewrites a list of tokens; what it gives, put together, is the text.
type decoder func(tokens []string) []string

func decodeInTurn(list []decoder) decoder {
	return func(tokens []string) []string {
		for _, d := range list {
			tokens = d(tokens)
		}
		return tokens
	}
}

// eachToken is a decoder that rewrites tokens one by one.
func eachToken(f func(i int, token string) string) decoder {
	return func(tokens []string) []string {
		out := make([]string, len(tokens))
		for i, t := range tokens {
			out[i] = f(i, t)
		}
		return out
	}
}

// cleanup takes spaces away that English writes none.
var cleanup = []*strings.Replacer{
	strings.NewReplacer(" .", "."), strings.NewReplacer(" ?", "?"), strings.NewReplacer(" !", "!"), strings.NewReplacer(" ,", ","), strings.NewReplacer(" ' ", "'"),
	strings.NewReplacer(" n't", "n't"), strings.NewReplacer(" 'm", "'m"), strings.NewReplacer(" do not", " don't"), strings.NewReplacer(" 's", "'s"),
	strings.NewReplacer(" 've", "'ve"), strings.NewReplacer(" 're", "'re"),
}

func decodeWordPiece(prefix string, clean bool) decoder {
	return eachToken(func(i int, token string) string {
		if i > 0 {
			if rest, ok := strings.CutPrefix(token, prefix); ok {
				token = rest
			} else {
				token = " " + token
			}
		}
		if clean && strings.Contains(token, " ") {
			for _, r := range cleanup {
				token = r.Replace(token)
			}
		}
		return token
	})
}

func decodeByteLevel(tokens []string) []string {
	var out []byte
	for _, t := range tokens {
		start := len(out)
		var ok bool
		if out, ok = invisible(out, t); !ok {
			out = append(out[:start], t...)
		}
	}
	return []string{lossy(string(out))}
}

// lossy puts U+FFFD in the place of every longest part that no character begins with, or that is the beginning of one.
func lossy(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		c, n := utf8.DecodeRuneInString(s[i:])
		if c != utf8.RuneError || n > 1 {
			b.WriteString(s[i : i+n])
			i += n
			continue
		}
		b.WriteRune(utf8.RuneError)
		i++
		// A beginning of a character goes together: as long as more bytes could have made it one.
		for rest := 0; rest < 2 && i < len(s) && beginning(s[i-1-rest:i+1]); rest++ {
			i++
		}
	}
	return b.String()
}

// beginning reports whether s, two or three bytes, is the incomplete beginning of a character.
func beginning(s string) bool {
	c := s[0]
	ok := c >= 0xe0 && c <= 0xf4 && (c >= 0xf0 || len(s) == 2)
	low, high := byte(0x80), byte(0xbf)
	switch c {
	case 0xe0:
		low = 0xa0
	case 0xed:
		high = 0x9f
	case 0xf0:
		low = 0x90
	case 0xf4:
		high = 0x8f
	}
	return ok && s[1] >= low && s[1] <= high && (len(s) == 2 || s[2]&0xc0 == 0x80)
}

func decodeMetaspace(mark string, never bool) decoder {
	return eachToken(func(i int, token string) string {
		if i == 0 && !never {
			return strings.ReplaceAll(token, mark, "")
		}
		return strings.ReplaceAll(token, mark, " ")
	})
}

// decodeBytes puts bytes in the place of tokens like <0x0A>; bytes in a row that are not UTF-8 are a U+FFFD each.
func decodeBytes(tokens []string) []string {
	var out []string
	var bytes []byte
	flush := func() {
		switch {
		case len(bytes) == 0:
		case utf8.Valid(bytes):
			out = append(out, string(bytes))
		default:
			for range bytes {
				out = append(out, string(utf8.RuneError))
			}
		}
		bytes = bytes[:0]
	}
	for _, t := range tokens {
		if b, ok := byteOf(t); ok {
			bytes = append(bytes, b)
			continue
		}
		flush()
		out = append(out, t)
	}
	flush()
	return out
}

func byteOf(token string) (byte, bool) {
	if len(token) != 6 || token[:3] != "<0x" || token[5] != '>' {
		return 0, false
	}
	v, err := strconv.ParseUint(token[3:5], 16, 8)
	return byte(v), err == nil
}

func decodeFuse(tokens []string) []string { return []string{strings.Join(tokens, "")} }

// decodeStrip takes a character away, up to start times in front and up to stop times behind.
func decodeStrip(content string, start, stop int) decoder {
	return eachToken(func(_ int, token string) string {
		for range start {
			rest, ok := strings.CutPrefix(token, content)
			if !ok {
				break
			}
			token = rest
		}
		for range stop {
			rest, ok := strings.CutSuffix(token, content)
			if !ok {
				break
			}
			token = rest
		}
		return token
	})
}

func decodeSuffix(suffix string) decoder {
	return func(tokens []string) []string {
		return eachToken(func(i int, token string) string {
			if i == len(tokens)-1 {
				return strings.ReplaceAll(token, suffix, "")
			}
			return strings.ReplaceAll(token, suffix, " ")
		})(tokens)
	}
}
