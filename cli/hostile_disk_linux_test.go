package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// mountDisk mounts a disk in memory with options, and skips the test where that is not allowed.
func mountDisk(t *testing.T, options string) (folder string) {
	t.Helper()
	folder = t.TempDir()
	if err := syscall.Mount("tmpfs", folder, "tmpfs", 0, options); err != nil {
		if os.Geteuid() != 0 || errors.Is(err, syscall.EPERM) {
			t.Skipf("no disk can be mounted here: %v", err)
		}
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(folder, syscall.MNT_DETACH) })
	return folder
}

// failsToWrite runs a line that cannot write: exit code 4, at most three lines that say why, an error document, nothing left. It
// reports whether the line wrote after all.
func failsToWrite(t *testing.T, w writer, disk, line string, args []string, says string) (wrote bool) {
	t.Helper()
	code, stdout, stderr := w.try(t, append(args, "--json"))
	if code == exitDone {
		return true
	}
	if code != exitEnvironment {
		t.Errorf("%s: exit code %d\n%s%s", line, code, stdout, stderr)
	}
	if err := wellSaid(stderr, says); err != nil {
		t.Errorf("%s: %v\n%s", line, err, stderr)
	}
	if err := documented([]byte(stdout), true); err != nil {
		t.Errorf("%s: %v\n%s", line, err, stdout)
	}
	for _, name := range names(t, disk) {
		if !strings.HasSuffix(name, ".graft-lock") {
			t.Errorf("%s: %s is left", line, name)
		}
	}
	return false
}

// names lists a folder.
func names(t *testing.T, folder string) (list []string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}

// TestHostileW07ReadOnly writes to a disk that may not be written, below a file, and into a folder that is not there.
func TestHostileW07ReadOnly(t *testing.T) {
	folder := t.TempDir()
	w := newWriter(t, folder, "")
	photo := filepath.Join(folder, "photo.png")
	if err := makePhoto("rgb", 32, 32, photo); err != nil {
		t.Fatal(err)
	}
	disk := mountDisk(t, "size=64k")
	if err := syscall.Mount("", disk, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	for _, line := range append(writingLines, "denoise "+photo+" --out $OUT --mask-steps 1 --train-steps 1 --ort-lib "+w.library) {
		for _, c := range [][2]string{{disk, "read-only"}, {w.model, ""}, {filepath.Join(disk, "none"), ""}} {
			args, _ := w.args(line, filepath.Join(c[0], "out"))
			if failsToWrite(t, w, disk, line, args, c[1]) {
				t.Errorf("%s: has written to %s", line, c[0])
			}
		}
	}
}

// TestHostileW08FullDisk writes to disks that have room for few files or bytes, and then for more, until it is enough.
func TestHostileW08FullDisk(t *testing.T) {
	folder := t.TempDir()
	w := newWriter(t, folder, "")
	file("model.onnx", rawModel(rawNode("MatMul", "wide", "x", "h", "w"), rawNode("MatMul", "narrow", "h", "y", "v"),
		rawTensor("w", []uint64{2, 4096}, make([]byte, 32<<10)), rawTensor("v", []uint64{4096, 2}, make([]byte, 32<<10))))(t, folder)
	disk := mountDisk(t, "size=1m,nr_inodes=1000")
	for _, line := range writingLines {
		args, _ := w.args(line, filepath.Join(disk, "out"))
		failures := 0
		for _, room := range []string{"size=8m,nr_inodes=%d", "size=%dk,nr_inodes=1000"} {
			for n := 1; ; n += 1 + n/4 {
				if err := syscall.Mount("", disk, "", syscall.MS_REMOUNT, fmt.Sprintf(room, n)); err != nil {
					t.Fatal(err)
				}
				if failsToWrite(t, w, disk, line, args, "disk full") {
					break
				}
				if failures++; failures > 100 || t.Failed() {
					t.Fatalf("%s: has failed %d times", line, failures)
				}
			}
			for _, name := range names(t, disk) {
				if err := os.RemoveAll(filepath.Join(disk, name)); err != nil {
					t.Fatal(err)
				}
			}
		}
		t.Logf("%s: failed %d times", line, failures)
	}
}
