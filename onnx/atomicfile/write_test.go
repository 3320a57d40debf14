package atomicfile

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func content(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// alone fails when anything but the named files is in dir.
func alone(t *testing.T, dir string, names ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if strings.Join(got, " ") != strings.Join(names, " ") {
		t.Errorf("folder holds %v, want %v", got, names)
	}
}

func TestWriteAndReplace(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	for _, s := range []string{"first", "", strings.Repeat("x", 1<<20)} {
		if err := WriteFile(path, []byte(s), 0o644); err != nil {
			t.Fatal(err)
		}
		if content(t, path) != s {
			t.Error("other bytes came back")
		}
	}
	alone(t, dir, "f")
}

// A failing producer's error comes back as it is, and the old file stays.
func TestFailingProducer(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	if err := WriteFile(path, []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("the model is broken")
	err := Write(path, 0o644, func(w io.Writer) error {
		w.Write(make([]byte, 1<<20))
		return broken
	})
	if err != broken || content(t, path) != "old" {
		t.Errorf("error %v, file %q", err, content(t, path))
	}
	alone(t, dir, "f")
}

// So does a panic: the temporary file is removed on the way out.
func TestPanickingProducer(t *testing.T) {
	dir := t.TempDir()
	func() {
		defer func() { recover() }()
		Write(filepath.Join(dir, "f"), 0o644, func(io.Writer) error { panic("producer") })
	}()
	alone(t, dir)
}

func TestRefusedTargets(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		dir:                             "is a folder",
		filepath.Join(dir, "none", "f"): "the folder does not exist",
		filepath.Join(file, "f"):        "a file and not a folder",
		filepath.Join(dir, strings.Repeat("n", 300)): "the name is too long",
	} {
		err := WriteFile(path, []byte("x"), 0o644)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "write ") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: error %v, want %q", path, err, want)
			continue
		}
		if e, ok := errors.AsType[*Error](err); !ok || e.File() != path {
			t.Errorf("%s: the error names %v", path, err)
		}
	}
	alone(t, dir, "file")
}

func TestErrorQuotesHostileNames(t *testing.T) {
	if got := (&Error{Path: "a\x1b[2J\nb", Reason: "disk full"}).Error(); got != `write "a\x1b[2J\nb": disk full` {
		t.Errorf("%q", got)
	}
}
