package limits

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// ExitRefused is the process exit code for refused input.
const ExitRefused = 3

// InputError says that a file was refused. It never carries unescaped bytes of the file: fields are built with Name.
type InputError struct {
	File   string // path as the user gave it; empty until InFile sets it
	Field  string // what in the file: "header", `tensor "w": dtype`
	Reason string // what is wrong, with value and limit
	Hint   string // what to do, or empty
}

// Error is one line: file, field, reason, hint, as far as they are known.
func (e *InputError) Error() string {
	var b strings.Builder
	for _, part := range []string{e.File, e.Field} {
		if part != "" {
			b.WriteString(part)
			b.WriteString(": ")
		}
	}
	b.WriteString(e.Reason)
	if e.Hint != "" {
		b.WriteString("; ")
		b.WriteString(e.Hint)
	}
	return b.String()
}

// ExitCode is ExitRefused.
func (e *InputError) ExitCode() int { return ExitRefused }

// Refuse makes an InputError. Strings of the file that go into field or args must have gone through Name.
func Refuse(field, format string, args ...any) *InputError {
	return &InputError{Field: field, Reason: fmt.Sprintf(format, args...)}
}

// WithHint is e with a hint.
func (e *InputError) WithHint(format string, args ...any) *InputError {
	c := *e
	c.Hint = fmt.Sprintf(format, args...)
	return &c
}

// InFile names the file in an InputError that names none; any other error is wrapped with the file's name. A nil error
// stays nil.
func InFile(file string, err error) error {
	if err == nil {
		return nil
	}
	if in, ok := errors.AsType[*InputError](err); ok {
		if in.File != "" {
			return err
		}
		c := *in
		if err != error(in) { // what was said around it is kept
			c = InputError{Reason: err.Error()}
		}
		c.File = printable(file)
		return &c
	}
	return fmt.Errorf("%s: %w", printable(file), err)
}

// nameRunes is how many runes of a foreign name a message shows.
const nameRunes = 100

// Name makes a string from a file fit for a message: quoted, every control, format or invalid character escaped, and cut
// to 100 runes.
func Name(s string) string {
	n := 0
	for i := range s {
		if n == nameRunes {
			return strconv.Quote(s[:i]) + "…"
		}
		n++
	}
	return strconv.Quote(s)
}

// Names is Name over a list, joined by commas, of at most max entries and a count of the rest.
func Names(list []string, max int) string {
	var b strings.Builder
	for i, s := range list {
		if i == max {
			fmt.Fprintf(&b, " and %d more", len(list)-max)
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(Name(s))
	}
	return b.String()
}

// printable is a path as given, or quoted when it holds anything that a terminal would act on.
func printable(path string) string {
	for _, r := range path {
		if r == utf8.RuneError || !strconv.IsPrint(r) {
			return strconv.Quote(path)
		}
	}
	return path
}
