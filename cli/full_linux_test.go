package cli

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"graft/runtime/runtimetest"
)

// TestDenoiseFullDisk runs out of disk: one clear error, and nothing is left.
func TestDenoiseFullDisk(t *testing.T) {
	library := runtimetest.Library(t)
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=512k"); err != nil {
		if os.Geteuid() != 0 || errors.Is(err, syscall.EPERM) {
			t.Skipf("no small disk can be mounted here: %v", err)
		}
		t.Fatal(err)
	}
	defer syscall.Unmount(disk, 0)
	photo := filepath.Join(t.TempDir(), "photo.png")
	if err := makePhoto("rgb", 32, 32, photo); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	code := NewApp(strings.NewReader(""), &stdout, &stderr).Run(t.Context(), []string{"graft", "denoise", photo,
		"--out", filepath.Join(disk, "out"), "--mask-steps", "1", "--train-steps", "1", "--ort-lib", library})
	if code != exitEnvironment || !strings.Contains(stderr.String(), "disk full") || strings.Count(stderr.String(), "\n") > 3 {
		t.Errorf("exit %d: %s", code, stderr.String())
	}
	left, err := os.ReadDir(disk)
	if err != nil || len(left) > 0 {
		t.Errorf("left on the disk: %v, %v", left, err)
	}
}
