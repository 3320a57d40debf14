package bias

import (
	"fmt"

	"graft/onnx/limits"
)

// Skipped is a row that was passed over.
type Skipped struct {
	File   string `json:"file"`
	Line   int    `json:"line"` // from 1; 0: the row has no line of its own
	Row    string `json:"row,omitempty"`
	Reason string `json:"reason"`
}

func (s Skipped) String() string {
	at := s.File
	if s.Line > 0 {
		at = fmt.Sprintf("%s:%d", at, s.Line)
	}
	if s.Row != "" {
		at += ": " + s.Row
	}
	return at + ": " + s.Reason
}

// Skips is what was passed over: all of it counted, the first rows listed.
type Skips struct {
	Count int
	Rows  []Skipped
}

// maxListed is how many rows are listed.
const maxListed = 1000

func (s *Skips) add(row Skipped) {
	if s.Count++; len(s.Rows) < maxListed {
		s.Rows = append(s.Rows, row)
	}
}

// Join adds another list.
func (s *Skips) Join(other Skips) {
	s.Count += other.Count
	s.Rows = append(s.Rows, other.Rows[:min(len(other.Rows), maxListed-len(s.Rows))]...)
}

// nothing is the error of a file of which no row is left.
func (s *Skips) nothing(path, rows string) error {
	err := limits.Refuse("", "no %s", rows)
	if s.Count > 0 {
		err = limits.Refuse("", "no %s: %d skipped, the first: %s", rows, s.Count, s.Rows[0].Reason)
	}
	return limits.InFile(path, err)
}
