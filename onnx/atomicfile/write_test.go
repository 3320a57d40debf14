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

func write(s string) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.WriteString(w, s)
		return err
	}
}

// Several files take their places together: what was there before stays when one of them cannot be written or put there.
func TestWriteAll(t *testing.T) {
	dir := t.TempDir()
	model, data := filepath.Join(dir, "m"), filepath.Join(dir, "m_data")
	for _, s := range []string{"one", "two"} {
		if err := WriteAll(0o644, File{data, write("data " + s)}, File{model, write("model " + s)}); err != nil {
			t.Fatal(err)
		}
		if content(t, data) != "data "+s || content(t, model) != "model "+s {
			t.Errorf("%s: %q %q", s, content(t, data), content(t, model))
		}
	}
	alone(t, dir, "m", "m_data")
	broken := errors.New("the model is broken")
	if err := WriteAll(0o644, File{data, write("new")}, File{model, func(io.Writer) error { return broken }}); err != broken {
		t.Error(err)
	}
	// A model that a folder stands in the place of when the files are to be put there.
	in := filepath.Join(dir, "in")
	err := WriteAll(0o644, File{data, write("new")}, File{in, func(w io.Writer) error {
		return errors.Join(os.MkdirAll(filepath.Join(in, "x"), 0o755), write("new")(w))
	}})
	if err == nil {
		t.Error("a folder was replaced")
	}
	if content(t, data) != "data two" || content(t, model) != "model two" {
		t.Errorf("%q %q", content(t, data), content(t, model))
	}
	alone(t, dir, "in", "m", "m_data")
}

// A model that is there never lies beside the data of another: it goes first.
func TestWriteAllOrder(t *testing.T) {
	dir := t.TempDir()
	model, data := filepath.Join(dir, "m"), filepath.Join(dir, "m_data")
	if err := WriteAll(0o644, File{data, write("1")}, File{model, write("1")}); err != nil {
		t.Fatal(err)
	}
	r := replacement{files: []File{{Path: data}, {Path: model}}, waiting: []string{filepath.Join(dir, ".a1"), filepath.Join(dir, ".b1")}}
	if err := r.clear(); err != nil {
		t.Fatal(err)
	}
	if len(r.aside) != 2 || r.aside[0].path != model || exists(model) {
		t.Errorf("%v", r.aside)
	}
	r.undo()
	if content(t, model) != "1" || content(t, data) != "1" {
		t.Error("the files are not what they were")
	}
}
