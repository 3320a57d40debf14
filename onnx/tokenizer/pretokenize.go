package tokenizer

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// piece is a part of the text that tokens do not cross. first is set where it begins the whole text.
type piece struct {
	text  string
	first bool
}

// A cutter appends what a piece is cut into.
type cutter func(out []piece, p piece) []piece

// behaviour is what becomes of the matches that pieces are cut at.
type behaviour int

const (
	isolated behaviour = iota
	removed
	contiguous
	mergedWithPrevious
	mergedWithNext
)

var behaviours = map[string]behaviour{"Isolated": isolated, "Removed": removed, "Contiguous": contiguous, "MergedWithPrevious": mergedWithPrevious, "MergedWithNext": mergedWithNext,
	"isolated": isolated, "removed": removed, "contiguous": contiguous, "merged_with_previous": mergedWithPrevious, "merged_with_next": mergedWithNext}

// span is a part of a piece, a match or what lies between matches.
type span struct {
	from, to int
	match    bool
}

// apply appends the spans of p as the behaviour has them; empty ones are nothing.
func (b behaviour) apply(out []piece, p piece, spans []span) []piece {
	var parts []span
	switch b {
	case isolated:
		parts = spans
	case removed:
		for _, s := range spans {
			if !s.match {
				parts = append(parts, s)
			}
		}
	case contiguous:
		for i, s := range spans {
			if len(parts) > 0 && s.match == spans[i-1].match {
				parts[len(parts)-1].to = s.to
			} else {
				parts = append(parts, s)
			}
		}
	case mergedWithPrevious:
		for i, s := range spans {
			if s.match && len(parts) > 0 && !spans[i-1].match {
				parts[len(parts)-1].to = s.to
			} else {
				parts = append(parts, s)
			}
		}
	case mergedWithNext:
		for i, s := range spans {
			if i > 0 && spans[i-1].match && !s.match {
				parts[len(parts)-1].to = s.to
			} else {
				parts = append(parts, s)
			}
		}
	}
	for _, s := range parts {
		if s.from < s.to {
			out = append(out, piece{p.text[s.from:s.to], p.first && s.from == 0})
		}
	}
	return out
}

// splitAt cuts at the matches of a pattern; invert takes what lies between matches for the matches.
func splitAt(pat *pattern, b behaviour, invert bool) cutter {
	return func(out []piece, p piece) []piece {
		if pat.scan != nil && b == isolated {
			for at := 0; at < len(p.text); {
				n := pat.scan(p.text[at:])
				out = append(out, piece{p.text[at : at+n], p.first && at == 0})
				at += n
			}
			return out
		}
		var spans []span
		at := 0
		pat.each(p.text, func(from, to int) {
			if at < from {
				spans = append(spans, span{at, from, invert})
			}
			spans = append(spans, span{from, to, !invert})
			at = to
		})
		if at < len(p.text) {
			spans = append(spans, span{at, len(p.text), invert})
		}
		return b.apply(out, p, spans)
	}
}

// splitWhere cuts at characters.
func splitWhere(is func(rune) bool, b behaviour) cutter {
	return func(out []piece, p piece) []piece {
		var spans []span
		at := 0
		for i, c := range p.text {
			if is(c) {
				if at < i {
					spans = append(spans, span{at, i, false})
				}
				at = i + utf8.RuneLen(c)
				spans = append(spans, span{i, at, true})
			}
		}
		if at < len(p.text) {
			spans = append(spans, span{at, len(p.text), false})
		}
		return b.apply(out, p, spans)
	}
}

func isPunctuation(c rune) bool {
	if c < utf8.RuneSelf {
		return c >= '!' && c <= '/' || c >= ':' && c <= '@' || c >= '[' && c <= '`' || c >= '{' && c <= '~'
	}
	return unicode.Is(class("punct"), c)
}

func isDigit(c rune) bool {
	if c < utf8.RuneSelf {
		return c >= '0' && c <= '9'
	}
	return unicode.Is(class("numeric"), c)
}

// cutBERT is white space away, punctuation alone.
func cutBERT(out []piece, p piece) []piece {
	start := 0
	flush := func(end int) {
		if start < end {
			out = append(out, piece{p.text[start:end], p.first && start == 0})
		}
	}
	for i, c := range p.text {
		switch {
		case unicode.IsSpace(c):
			flush(i)
			start = i + utf8.RuneLen(c)
		case isPunctuation(c):
			flush(i)
			start = i + utf8.RuneLen(c)
			out = append(out, piece{p.text[i:start], p.first && i == 0})
		}
	}
	flush(len(p.text))
	return out
}

// cutWhitespace is \w+|[^\w\s]+.
func cutWhitespace(out []piece, p piece) []piece {
	kind := func(c rune) int {
		switch {
		case unicode.IsSpace(c):
			return 0
		case unicode.Is(class("word"), c):
			return 1
		}
		return 2
	}
	start, last := 0, 0
	for i, c := range p.text {
		if k := kind(c); k != last {
			if last != 0 {
				out = append(out, piece{p.text[start:i], p.first && start == 0})
			}
			start, last = i, k
		}
	}
	if last != 0 {
		out = append(out, piece{p.text[start:], p.first && start == 0})
	}
	return out
}

// metaspace writes spaces as a visible character, which a word begins with.
type metaspace struct {
	mark          string
	always, never bool // neither: in front of the first piece alone
	split         bool
}

func (m metaspace) cut(out []piece, p piece) []piece {
	s := strings.ReplaceAll(p.text, " ", m.mark)
	if (m.always || !m.never && p.first) && !strings.HasPrefix(s, m.mark) {
		s = m.mark + s
	}
	if !m.split {
		return append(out, piece{s, p.first})
	}
	for start := 0; start < len(s); {
		end := len(s)
		from := start
		if strings.HasPrefix(s[start:], m.mark) {
			from += len(m.mark)
		}
		if i := strings.Index(s[from:], m.mark); i >= 0 {
			end = from + i
		}
		out = append(out, piece{s[start:end], p.first && start == 0})
		start = end
	}
	return out
}

// byteLevel cuts as GPT-2 does. Its bytes become visible characters behind it, see byteRunes.
type byteLevel struct{ prefix, pattern bool }

func (b byteLevel) cut(out []piece, p piece) []piece {
	if b.prefix && !strings.HasPrefix(p.text, " ") {
		p.text = " " + p.text
	}
	if !b.pattern {
		return append(out, p)
	}
	for at := 0; at < len(p.text); {
		n := scanGPT2(p.text[at:])
		out = append(out, piece{p.text[at : at+n], p.first && at == 0})
		at += n
	}
	return out
}

// cutFully cuts every piece by every cutter in turn.
func cutFully(cutters []cutter, pieces []piece) []piece {
	for _, cut := range cutters {
		out := make([]piece, 0, len(pieces))
		for _, p := range pieces {
			out = cut(out, p)
		}
		pieces = out
	}
	return pieces
}
