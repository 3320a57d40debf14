//go:build unix

package limits

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A named pipe without a writer must not hang.
func TestOpenPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := OpenRegular(path); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Fatal(err)
	}
}
