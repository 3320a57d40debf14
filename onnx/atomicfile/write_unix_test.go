//go:build unix

package atomicfile

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestUmask(t *testing.T) {
	old := syscall.Umask(0o027)
	defer syscall.Umask(old)
	path := filepath.Join(t.TempDir(), "f")
	if err := WriteFile(path, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

// A link planted at the name is replaced; what it points to, there or not, stays as it was.
func TestPlantedLink(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	victim := filepath.Join(outside, "victim")
	if err := os.WriteFile(victim, []byte("precious"), 0o644); err != nil {
		t.Fatal(err)
	}
	hard := filepath.Join(dir, "hard")
	if err := os.Link(victim, hard); err != nil {
		t.Fatal(err)
	}
	links := map[string]string{"soft": victim, "dangling": filepath.Join(outside, "new"), "loop": filepath.Join(dir, "loop")}
	for name, target := range links {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"hard", "soft", "dangling", "loop"} {
		path := filepath.Join(dir, name)
		if err := WriteFile(path, []byte("mine"), 0o644); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Lstat(path); err != nil || !info.Mode().IsRegular() || content(t, path) != "mine" {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
	if content(t, victim) != "precious" {
		t.Error("the link was followed")
	}
	alone(t, outside, "victim")
	alone(t, dir, "dangling", "hard", "loop", "soft")
}

// Root would replace the device by a file for every program.
func TestDevicesAreRefused(t *testing.T) {
	dir := t.TempDir()
	pipe, link := filepath.Join(dir, "pipe"), filepath.Join(dir, "link")
	if err := errors.Join(syscall.Mkfifo(pipe, 0o600), os.Symlink("/dev/null", link)); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/dev/null", pipe, link} {
		if err := WriteFile(path, []byte("x"), 0o644); err == nil || !strings.Contains(err.Error(), "a device or a pipe") {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// asChild runs one test function of this binary in a child process, as another user when root.
func asChild(t *testing.T, run, dir string) []byte {
	t.Helper()
	if os.Getenv("ATOMICFILE_CHILD") != "" {
		return nil
	}
	cmd := exec.Command(os.Args[0], "-test.run=^"+run+"$", "-test.v")
	cmd.Env = append(os.Environ(), "ATOMICFILE_CHILD="+dir)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return out
}

// A folder without write permission gives a reason. Root is let through by the system, so that the child gives up that
// power first.
func TestReadOnlyFolder(t *testing.T) {
	if dir := os.Getenv("ATOMICFILE_CHILD"); dir != "" {
		if os.Geteuid() == 0 {
			if err := syscall.Setuid(65534); err != nil {
				t.Fatal(err)
			}
		}
		err := WriteFile(filepath.Join(dir, "f"), []byte("new"), 0o644)
		if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "permission denied") {
			t.Errorf("error %v", err)
		}
		return
	}
	dir, err := os.MkdirTemp("", "atomicfile")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := WriteFile(filepath.Join(dir, "f"), []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o555); err != nil {
		t.Fatal(err)
	}
	asChild(t, "TestReadOnlyFolder", dir)
	alone(t, dir, "f")
	if content(t, filepath.Join(dir, "f")) != "old" {
		t.Error("the old file changed")
	}
}

// A file larger than the process may write: the limit stands in for a disk that fills up half way.
func TestFileSizeLimit(t *testing.T) {
	if dir := os.Getenv("ATOMICFILE_CHILD"); dir != "" {
		signal.Ignore(syscall.SIGXFSZ)
		limit := syscall.Rlimit{Cur: 1 << 16, Max: 1 << 16}
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
			t.Fatal(err)
		}
		err := WriteFile(filepath.Join(dir, "f"), bytes.Repeat([]byte("new"), 1<<20), 0o644)
		if !errors.Is(err, syscall.EFBIG) || !strings.Contains(err.Error(), "larger than") {
			t.Errorf("error %v", err)
		}
		return
	}
	dir := t.TempDir()
	if err := WriteFile(filepath.Join(dir, "f"), []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	asChild(t, "TestFileSizeLimit", dir)
	alone(t, dir, "f")
	if content(t, filepath.Join(dir, "f")) != "old" {
		t.Error("the old file changed")
	}
}
