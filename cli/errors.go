package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Exit codes; the help and the documentation list them in these words.
const (
	exitDone        = 0   // done, or the answer is yes
	exitNo          = 1   // the answer is no
	exitUsage       = 2   // wrong usage
	exitInput       = 3   // input refused
	exitEnvironment = 4   // disk, permission, library, provider or device
	exitRuntime     = 5   // the runtime failed, or training diverged
	exitInterrupted = 130 // interrupted; what was saved is valid
)

// Error is what a failed run prints: at most three lines, what, where and what
// to do. Empty fields are filled from the error inside (see classify).
type Error struct {
	Verb   string // "runtime info"
	File   string // the file at fault
	Reason string // one line, lower case
	Hint   string // what to do
	Code   int    // exit code; 0: from the error inside
	Err    error
}

func (e *Error) Error() string {
	reason := e.Reason
	if reason == "" && e.Err != nil {
		reason = e.Err.Error()
	}
	if e.File != "" && !strings.Contains(reason, e.File) {
		return e.File + ": " + reason
	}
	return reason
}

func (e *Error) Unwrap() error { return e.Err }

// Lower packages shape what is printed by implementing any of these on their
// errors; the outermost one in the chain counts.
type (
	exitCoder interface{ ExitCode() int }
	hinter    interface{ Hint() string }
	filer     interface{ File() string }
)

// no ends a run whose answer is no: exit code 1, and the result that the verb
// gave stands. The text goes to stderr as a message.
type no string

func (n no) Error() string { return string(n) }

// refused reports an input that graft will not take (exit code 3, or 4 when
// the system denies it).
func refused(file string, err error) error { return &Error{File: file, Err: err} }

// environment reports disk, permission, library, provider or device trouble (exit code 4).
func environment(err error, hint string) error {
	return &Error{Err: err, Hint: hint, Code: exitEnvironment}
}

// failed reports that the runtime failed or that training diverged (exit code 5).
func failed(err error, hint string) error { return &Error{Err: err, Hint: hint, Code: exitRuntime} }

// misuse reports wrong usage that only the verb can see (exit code 2).
func misuse(format string, a ...any) error {
	return &Error{Reason: fmt.Sprintf(format, a...), Code: exitUsage}
}

// classify fills every field of the printed error from the chain of err.
func classify(verb string, err error) *Error {
	out := &Error{Verb: verb, Err: err}
	var e *Error
	if errors.As(err, &e) {
		if e.Verb != "" {
			out.Verb = e.Verb
		}
		out.File, out.Hint, out.Code, out.Reason = e.File, e.Hint, e.Code, e.Reason
		if err != error(e) { // context was added around it
			out.Reason = err.Error()
		} else if out.Reason == "" && e.Err != nil {
			out.Reason = e.Err.Error()
		}
	} else {
		out.Reason = err.Error()
	}
	var f filer
	var p *fs.PathError
	if out.File == "" && errors.As(err, &f) {
		out.File = f.File()
	} else if out.File == "" && errors.As(err, &p) {
		out.File = p.Path
	}
	var h hinter
	if out.Hint == "" && errors.As(err, &h) {
		out.Hint = h.Hint()
	}
	if out.Code == 0 {
		out.Code = codeOf(err)
	}
	if out.Code == exitInterrupted {
		out.Reason, out.Hint = "interrupted; what was saved is valid", ""
	}
	return out
}

func codeOf(err error) int {
	var coder exitCoder
	switch {
	case errors.Is(err, context.Canceled):
		return exitInterrupted
	case errors.As(err, &coder):
		return coder.ExitCode()
	case errors.Is(err, fs.ErrPermission), isSystemFault(err):
		return exitEnvironment
	}
	return exitInput
}

// print writes the three lines to w, and the JSON form to doc when doc is not nil.
func (e *Error) print(w, doc io.Writer) {
	reason := clean(oneLine(e.Reason))
	where := ""
	if e.File != "" && !strings.Contains(e.Reason, e.File) {
		where = clean(e.File)
	}
	head := "graft"
	if e.Verb != "" {
		head += " " + clean(e.Verb)
	}
	fmt.Fprintf(w, "%s: %s\n", head, reason)
	if where != "" {
		fmt.Fprintf(w, "  in: %s\n", where)
	}
	if e.Hint != "" {
		fmt.Fprintf(w, "  %s\n", clean(oneLine(e.Hint)))
	}
	if doc == nil {
		return
	}
	var out struct {
		Error struct {
			Verb   string `json:"verb"`
			File   string `json:"file"`
			Reason string `json:"reason"`
			Hint   string `json:"hint"`
		} `json:"error"`
	}
	out.Error.Verb, out.Error.File, out.Error.Reason, out.Error.Hint = e.Verb, e.File, oneLine(e.Reason), oneLine(e.Hint)
	_ = writeJSON(doc, out)
}

// oneLine joins the lines of a joined error and cuts what is absurdly long.
func oneLine(s string) string {
	const longest = 8000
	s = strings.ReplaceAll(strings.TrimSpace(s), "\n", "; ")
	if len(s) > longest {
		s = strings.ToValidUTF8(s[:longest], "") + "..."
	}
	return s
}

// writeJSON writes one indented document; struct order, sorted map keys. What acts on a terminal stands in it as \u escapes.
func writeJSON(w io.Writer, v any) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return err
	}
	_, err := w.Write(inertJSON(b.Bytes()))
	return err
}

// inertJSON escapes the control and format characters that JSON lets stand in strings.
func inertJSON(doc []byte) []byte {
	acts := func(r rune) bool { return r >= 0x7f && unicode.In(r, unicode.Cc, unicode.Cf) }
	if !bytes.ContainsFunc(doc, acts) {
		return doc
	}
	out := make([]byte, 0, len(doc)+len(doc)/8)
	for _, r := range string(doc) {
		switch {
		case !acts(r):
			out = utf8.AppendRune(out, r)
		case r < 0x10000:
			out = fmt.Appendf(out, `\u%04x`, r)
		default:
			high, low := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u%04x\u%04x`, high, low)
		}
	}
	return out
}
