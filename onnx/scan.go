package onnx

import (
	"fmt"
	"strings"

	"graft/onnx/limits"
)

// SyntaxError is where and why text is not ONNX's textual syntax.
type SyntaxError struct {
	Line, Column int // from 1; columns count bytes
	Message      string
	Source       string // the line
}

// Error is position and message, then the line, then a caret under the place.
func (e *SyntaxError) Error() string {
	const width = 120
	line, at := e.Source, e.Column-1
	if at > width-20 {
		cut := min(at-width/2, len(line))
		line, at = "..."+line[cut:], at-cut+3
	}
	if len(line) > width {
		line = line[:width] + "..."
	}
	caret := make([]byte, 0, at+1)
	for i := range at {
		if i < len(line) && line[i] == '\t' {
			caret = append(caret, '\t')
		} else {
			caret = append(caret, ' ')
		}
	}
	line = strings.ReplaceAll(strings.ToValidUTF8(line, "?"), "\x1b", "?")
	return fmt.Sprintf("%d:%d: %s\n%s\n%s^", e.Line, e.Column, printable(e.Message), line, caret)
}

// ExitCode is the command line's exit status for refused input.
func (e *SyntaxError) ExitCode() int { return limits.ExitRefused }

// text scanner: the parser asks for what it expects next, so there is no token type.
type textScanner struct {
	src string
	at  int
}

// skip goes past white space and comments, which start with # and end with the line.
func (s *textScanner) skip() {
	for s.at < len(s.src) {
		switch s.src[s.at] {
		case ' ', '\t', '\n', '\v', '\f', '\r':
			s.at++
		case '#':
			if end := strings.IndexByte(s.src[s.at:], '\n'); end >= 0 {
				s.at += end
			} else {
				s.at = len(s.src)
			}
		default:
			return
		}
	}
}

// peek is the next byte that counts, 0 at the end.
func (s *textScanner) peek() byte {
	s.skip()
	if s.at == len(s.src) {
		return 0
	}
	return s.src[s.at]
}

// take consumes token if it comes next.
func (s *textScanner) take(token string) bool {
	s.skip()
	if strings.HasPrefix(s.src[s.at:], token) {
		s.at += len(token)
		return true
	}
	return false
}

// word consumes an identifier; empty when none comes next.
func (s *textScanner) word() string {
	s.skip()
	from := s.at
	for s.at < len(s.src) && isWordByte(s.src[s.at], s.at > from) {
		s.at++
	}
	return s.src[from:s.at]
}

// peekWord is the identifier that comes next, left in place.
func (s *textScanner) peekWord() string {
	s.skip()
	at := s.at
	w := s.word()
	s.at = at
	return w
}

// str consumes a string in quotes. A backslash takes the next byte as it is.
func (s *textScanner) str() (string, error) {
	if s.peek() != '"' {
		return "", s.expected(`a string in quotes`)
	}
	start := s.at
	var b strings.Builder
	for s.at++; s.at < len(s.src); s.at++ {
		switch c := s.src[s.at]; c {
		case '"':
			s.at++
			return b.String(), nil
		case '\\':
			if s.at++; s.at < len(s.src) {
				b.WriteByte(s.src[s.at])
			}
		default:
			b.WriteByte(c)
		}
	}
	s.at = start
	return "", s.fail("the string has no end")
}

// name consumes an identifier or a string in quotes.
func (s *textScanner) name() (string, error) {
	if s.peek() == '"' {
		return s.str()
	}
	if w := s.word(); w != "" {
		return w, nil
	}
	return "", s.expected("a name")
}

// number consumes a number as text; float reports whether it is written as one.
func (s *textScanner) number() (text string, float bool, err error) {
	s.skip()
	from := s.at
	if s.at < len(s.src) && s.src[s.at] == '-' {
		s.at++
	}
	if w := strings.ToLower(s.peekWord()); w == "nan" || w == "inf" || w == "infinity" {
		s.word()
		return s.src[from:s.at], true, nil
	}
	digits := func() (n int) {
		for s.at < len(s.src) && s.src[s.at] >= '0' && s.src[s.at] <= '9' {
			s.at++
			n++
		}
		return n
	}
	n := digits()
	if s.at < len(s.src) && s.src[s.at] == '.' && n > 0 {
		float = true
		s.at++
		digits()
	}
	if n > 0 && s.at < len(s.src) && (s.src[s.at] == 'e' || s.src[s.at] == 'E') {
		float = true
		if s.at++; s.at < len(s.src) && (s.src[s.at] == '+' || s.src[s.at] == '-') {
			s.at++
		}
		if digits() == 0 {
			return "", false, s.expected("an exponent")
		}
	}
	if n == 0 {
		s.at = from
		return "", false, s.expected("a number")
	}
	return s.src[from:s.at], float, nil
}

func (s *textScanner) expect(token string) error {
	if !s.take(token) {
		return s.expected(token)
	}
	return nil
}

func (s *textScanner) expected(what string) error {
	s.skip()
	if s.at == len(s.src) {
		return s.fail("expected %s, the text ends here", what)
	}
	if strings.HasPrefix(s.src[s.at:], "...") || strings.HasPrefix(s.src[s.at:], "{...}") {
		return s.fail("expected %s: what stood here was elided when the model was printed; print it in full", what)
	}
	return s.fail("expected %s", what)
}

// fail is an error at the scanner's position.
func (s *textScanner) fail(format string, args ...any) error {
	before := s.src[:s.at]
	start := strings.LastIndexByte(before, '\n') + 1
	line, _, _ := strings.Cut(s.src[start:], "\n")
	return &SyntaxError{Line: strings.Count(before, "\n") + 1, Column: s.at - start + 1,
		Message: fmt.Sprintf(format, args...), Source: strings.TrimRight(line, "\r")}
}
