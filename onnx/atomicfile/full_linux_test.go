package atomicfile

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A disk of 64 KiB fills up: the old file stays, nothing is left beside it. Mounting one needs root; elsewhere
// TestFileSizeLimit covers the same path through Write.
func TestFullDisk(t *testing.T) {
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=64k"); err != nil {
		if os.Geteuid() != 0 || errors.Is(err, syscall.EPERM) {
			t.Skipf("no small disk can be mounted here: %v", err)
		}
		t.Fatal(err)
	}
	defer syscall.Unmount(disk, 0)
	path := filepath.Join(disk, "f")
	if err := WriteFile(path, []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	for range 3 { // a failed write gives its space back
		err := WriteFile(path, bytes.Repeat([]byte("new"), 1<<16), 0o644)
		if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "disk full") {
			t.Fatalf("error %v", err)
		}
		t.Log(err)
		alone(t, disk, "f")
	}
	if content(t, path) != "old" {
		t.Error("the old file changed")
	}
	if err := WriteFile(path, []byte("fits"), 0o644); err != nil || content(t, path) != "fits" {
		t.Errorf("a small file after the failures: %v", err)
	}
}
