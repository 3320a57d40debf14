package onnx

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"graft/onnx/limits"
)

// InvalidError says why a file that is sound protobuf is refused as a model. Problems has one line each, in the order they
// were found; at most 100 are collected.
type InvalidError struct {
	File     string // empty for bytes without a file
	Problems []string
}

// Error is the first two problems and how many there are beyond, on one line.
func (e *InvalidError) Error() string {
	const shown = 2
	s := strings.Join(e.Problems[:min(shown, len(e.Problems))], "; ")
	if n := len(e.Problems) - shown; n > 0 {
		s += fmt.Sprintf("; and %d more", n)
	}
	if e.File != "" {
		s = printable(e.File) + ": " + s
	}
	return s
}

// ExitCode is the command line's exit status for refused input.
func (e *InvalidError) ExitCode() int { return limits.ExitRefused }

func refuse(format string, args ...any) error { return limits.Refuse("", format, args...) }

// message is fmt.Sprintf with long strings cut and the whole made printable: names come from the file.
func message(format string, args ...any) string {
	const longest = 120
	for i, a := range args {
		if n, ok := a.(*Node); ok {
			a = n.String()
		}
		if s, ok := a.(string); ok && len(s) > longest {
			args[i] = strings.ToValidUTF8(s[:longest], "") + "..."
		}
	}
	return printable(fmt.Sprintf(format, args...))
}

// clean reports whether s is of printable characters alone.
func clean(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' || s[i] > '~' {
			return !strings.ContainsFunc(s[i:], func(r rune) bool { return r == utf8.RuneError || !strconv.IsPrint(r) })
		}
	}
	return true
}

// printable escapes what a terminal would act on, and cuts what is absurdly long: names come from the file.
func printable(s string) string {
	const longest = 400
	if !clean(s) {
		var b strings.Builder
		for i, r := range s {
			switch {
			case r == utf8.RuneError:
				_, size := utf8.DecodeRuneInString(s[i:])
				if size == 1 {
					fmt.Fprintf(&b, `\x%02x`, s[i])
					continue
				}
				b.WriteRune(r)
			case strconv.IsPrint(r):
				b.WriteRune(r)
			default:
				q := strconv.QuoteRune(r)
				b.WriteString(q[1 : len(q)-1])
			}
		}
		s = b.String()
	}
	if len(s) > longest {
		s = strings.ToValidUTF8(s[:longest], "") + "..."
	}
	return s
}
