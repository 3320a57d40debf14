package limitstest

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"
)

// Case is a file that must be refused.
type Case struct {
	ID    string // of the attack's family: a letter for the kind of file and a number, "P19"
	What  string
	Bytes []byte
	Want  string // in the error; "|" stands between parts of which one is enough
}

// Name is what a test of the case is called.
func (c Case) Name() string { return c.ID + " " + c.What }

// Refused wants err to refuse a file, in one line that a terminal only prints: exit code 3, the file's name first, and want in it.
func Refused(t testing.TB, err error, file, want string) {
	t.Helper()
	const longest = 1500
	var coder interface{ ExitCode() int }
	switch {
	case err == nil:
		t.Fatalf("accepted; want an error with %q", want)
	case !errors.As(err, &coder) || coder.ExitCode() != 3:
		t.Fatalf("%v: no refusal of input", err)
	case !strings.HasPrefix(err.Error(), file+": ") || !HasOne(err.Error(), want):
		t.Fatalf("%q: want %q in it", err, want)
	case strings.ContainsFunc(err.Error(), func(r rune) bool { return r < 0x20 || r == 0x7f || r == utf8.RuneError }) || len(err.Error()) > longest:
		t.Fatalf("%q: not one clean line", err)
	}
}

// HasOne says whether text holds a part of want, in which "|" stands between parts.
func HasOne(text, want string) bool {
	for part := range strings.SplitSeq(want, "|") {
		if strings.Contains(text, part) {
			return true
		}
	}
	return false
}
