package onnx

import (
	"fmt"
	"strings"
)

// InputError says why a model is refused. Problems has one line each, in the order they were found.
type InputError struct {
	File     string // empty for bytes without a file
	Problems []string
}

// Error is the first three problems on a line each, and how many there are beyond.
func (e *InputError) Error() string {
	const shown = 2
	lines := e.Problems
	if len(lines) > shown+1 {
		lines = append(append([]string(nil), lines[:shown]...), fmt.Sprintf("and %d more", len(e.Problems)-shown))
	}
	file := e.File
	if file == "" {
		file = "model"
	}
	return file + ": " + strings.Join(lines, "\n")
}

// ExitCode is the command line's exit status for refused input.
func (e *InputError) ExitCode() int { return 3 }

func refuse(format string, args ...any) error {
	return &InputError{Problems: []string{fmt.Sprintf(format, args...)}}
}
