package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"graft/training"
	"graft/training/study"
)

// resumed is an experiment whose cells go on from what is in their work folders.
type resumed struct {
	experiment
	runs int
}

func (e *resumed) Run(_ context.Context, _ study.Cell, work string, _ *study.Folder) (any, error) {
	e.runs++
	if _, err := os.Stat(filepath.Join(work, "old")); err == nil {
		return nil, fmt.Errorf("fit: %w", training.ErrOtherStep)
	}
	return e.runs, nil
}

// TestStaleWork has a cell begin anew where another version of a network has left it half done, and once only.
func TestStaleWork(t *testing.T) {
	work := t.TempDir()
	if err := os.WriteFile(filepath.Join(work, "old"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	e := &resumed{}
	out, err := runCell(context.Background(), e, nil, work, nil)
	if err != nil || out != 2 {
		t.Errorf("got %v, %v, want the second run", out, err)
	}
}
