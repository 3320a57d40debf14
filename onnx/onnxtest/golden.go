package onnxtest

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"graft/onnx"
)

var update = flag.Bool("update", false, "rewrite what golden files expect")

// Golden runs f on the model "in" of every txtar file that pattern matches, and compares what it returns with "want". An
// error counts as the text "error: ..." and is compared like any other. With -update, "want" is rewritten instead. No
// matching file is a failure.
func Golden(t *testing.T, pattern string, f func(m *onnx.Model) (string, error)) {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil || len(paths) == 0 {
		t.Fatalf("golden files %s: none found (%v)", pattern, err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			in, ok := section(archive, "in")
			if !ok {
				t.Fatalf("%s has no section %q", path, "in")
			}
			m, err := onnx.Parse(in)
			if err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			got, err := f(m)
			if err != nil {
				got = "error: " + err.Error()
			}
			if got != "" && !strings.HasSuffix(got, "\n") {
				got += "\n"
			}
			want, ok := section(archive, "want")
			switch {
			case *update && (got != want || !ok):
				setSection(archive, "want", got)
				if err := os.WriteFile(path, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
			case !*update:
				Text(t, got, want)
			}
		})
	}
}

func section(a *txtar.Archive, name string) (string, bool) {
	for _, f := range a.Files {
		if f.Name == name {
			return string(f.Data), true
		}
	}
	return "", false
}

func setSection(a *txtar.Archive, name, text string) {
	for i := range a.Files {
		if a.Files[i].Name == name {
			a.Files[i].Data = []byte(text)
			return
		}
	}
	a.Files = append(a.Files, txtar.File{Name: name, Data: []byte(text)})
}

// Text fails with the first lines that differ.
func Text(t testing.TB, got, want string) {
	t.Helper()
	if got == want {
		return
	}
	a, b := strings.Split(got, "\n"), strings.Split(want, "\n")
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	line := func(s []string) string {
		if i < len(s) {
			return s[i]
		}
		return "(end)"
	}
	t.Errorf("line %d differs\n got: %s\nwant: %s\nall of it:\n%s", i+1, line(a), line(b), got)
}

// Graph fails unless the two graphs print as the same text.
func Graph(t testing.TB, got, want *onnx.Graph) {
	t.Helper()
	Text(t, got.Text(), want.Text())
}

// Parse reads a model in the textual syntax, or ends the test.
func Parse(t testing.TB, text string) *onnx.Model {
	t.Helper()
	m, err := onnx.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return m
}
