package runtime

import (
	"errors"
	"fmt"
	"strings"
)

// ErrRuntime is in every error of a run that ONNX Runtime reported.
var ErrRuntime = errors.New("ONNX Runtime")

// ErrModel is in every error of a model that ONNX Runtime does not accept.
var ErrModel = errors.New("ONNX Runtime refused the model")

// ErrFeed is in every error of inputs that do not fit the model, found before ONNX Runtime is called.
var ErrFeed = errors.New("inputs do not fit the model")

// MissingError says that the environment lacks a library, a provider or a device. Its text has one line for each of what,
// where and what to do.
type MissingError struct {
	What  string  // "load ONNX Runtime: no usable library"
	Tried []Place // in the order tried; empty when only one thing could have been
	Fix   string
}

// Place is a file or folder that was tried, and why it did not serve.
type Place struct{ Path, Reason string }

func (e *MissingError) Error() string {
	var b strings.Builder
	b.WriteString(e.What)
	if len(e.Tried) > 0 {
		b.WriteString("\ntried: ")
		for i, p := range e.Tried {
			if i > 0 {
				b.WriteString("; ")
			}
			fmt.Fprintf(&b, "%s (%s)", oneLine(p.Path), oneLine(p.Reason))
		}
	}
	if e.Fix != "" {
		b.WriteString("\nfix: " + e.Fix)
	}
	return b.String()
}

// oneLine is the first line of a message, trimmed, without control characters and of bounded length: messages of ONNX
// Runtime quote names from the model.
func oneLine(s string) string {
	s, _, _ = strings.Cut(strings.TrimSpace(s), "\n")
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	const limit = 500
	if len(s) > limit {
		s = strings.ToValidUTF8(s[:limit], "") + "..."
	}
	return strings.TrimSpace(s)
}
