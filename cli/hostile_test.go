package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"

	"graft/onnx/limits/limitstest"
)

// hostile is input made to break a reader, and what is said about it whatever verb is given it.
type hostile struct {
	id   string                            // "O02 length 2^63": a letter for the kind of file, a number, what it is
	make func(t testing.TB, folder string) // writes the file "hostile" + extension, and what lies beside it
	read int                               // bytes that a reader may hold beyond 64 MiB: those of the file
	says string                            // part of the error's lines; "|" stands between parts of which one is enough
	// except are verbs, by first word, for which the file is no broken input, with the exit code that they have instead.
	except map[string]int
}

// file is a maker of one file.
func file(name string, data []byte) func(testing.TB, string) {
	return func(t testing.TB, folder string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(folder, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// refuseThrough gives each file to each of the command lines, run in the file's folder's parent, in which $DIR is the file's folder,
// $OUT a path beside it where nothing is. All have to refuse it: exit code 3, at most three lines in which nothing acts on a
// terminal, an error document with --json, nothing written, a second and 64 MiB at most. Without --json, where the lines on stderr
// are the same, each line is tried on the first file.
func refuseThrough(t *testing.T, files []hostile, lines ...string) {
	for i, h := range files {
		t.Run(strings.ReplaceAll(h.id, "/", " "), func(t *testing.T) {
			top := t.TempDir()
			folder := filepath.Join(top, "models")
			if err := os.Mkdir(folder, 0o700); err != nil {
				t.Fatal(err)
			}
			h.make(t, folder)
			before := listing(t, top)
			for _, l := range lines {
				code, excepted := h.except[strings.Fields(l)[0]]
				if !excepted {
					code = exitInput
				}
				words := append([]string{"graft"}, strings.Fields(strings.NewReplacer("$DIR", folder, "$OUT", filepath.Join(top, "out")).Replace(l))...)
				tries := [][]string{append(words[:len(words):len(words)], "--json"), words}
				if i > 0 {
					tries = tries[:1]
				}
				for _, args := range tries {
					var stdout, stderr bytes.Buffer
					var got int
					run := func() {
						stdout.Reset()
						stderr.Reset()
						got = NewApp(strings.NewReader(""), &stdout, &stderr).Run(t.Context(), args)
					}
					var allocated int64
					used := limitstest.CPU(t, func() { allocated = limitstest.Allocated(run) })
					if got != code {
						t.Errorf("%s: exit code %d\n%s%s", l, got, stdout.String(), stderr.String())
						continue
					}
					if code != exitInput {
						continue
					}
					if err := wellSaid(stderr.String(), h.says); err != nil {
						t.Errorf("%s: %v\n%s", l, err, stderr.String())
					}
					if err := documented(stdout.Bytes(), len(args) > len(words)); err != nil {
						t.Errorf("%s: %v\n%s", l, err, stdout.String())
					}
					if used > time.Second {
						t.Errorf("%s: %v of processor time", l, used)
					}
					if allocated > 64<<20+int64(h.read) { // most of it one after the other, perhaps
						if peak, known := limitstest.Peak(t, run); known && peak > 64<<10+h.read>>10 {
							t.Errorf("%s: %d KiB", l, peak)
						}
					}
				}
				if after := listing(t, top); after != before {
					t.Fatalf("%s: files were\n%s\nand are\n%s", l, before, after)
				}
			}
		})
	}
}

// wellSaid holds the lines of an error to what a person can take in.
func wellSaid(text, says string) error {
	switch lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n"); {
	case len(lines) > 3:
		return fmt.Errorf("%d lines", len(lines))
	case strings.Contains(text, "panic") || strings.Contains(text, "goroutine "):
		return fmt.Errorf("a crash is told")
	case !limitstest.HasOne(text, says):
		return fmt.Errorf("does not tell %q", says)
	case len(text) > 2000:
		return fmt.Errorf("%d bytes", len(text))
	}
	for _, r := range text {
		if r != '\n' && !unicode.IsGraphic(r) {
			return fmt.Errorf("has %q", r)
		}
	}
	return nil
}

// documented holds stdout to nothing, or to one error document.
func documented(stdout []byte, asked bool) error {
	if !asked {
		if len(stdout) > 0 {
			return fmt.Errorf("stdout is not empty")
		}
		return nil
	}
	var doc struct {
		Error struct{ Verb, File, Reason, Hint string }
	}
	if err := json.Unmarshal(stdout, &doc); err != nil {
		return err
	}
	if doc.Error.Verb == "" || doc.Error.Reason == "" {
		return fmt.Errorf("verb or reason is missing")
	}
	return nil
}

// listing is what lies in a folder: names, kinds, sizes and times.
func listing(t testing.TB, folder string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		at := info.ModTime().UnixNano()
		if d.Name() == "artifacts" { // which are locked by a file in their folder
			at = 0
		}
		fmt.Fprintf(&b, "%s %s %d %d\n", strings.TrimPrefix(path, folder), info.Mode(), info.Size(), at)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}
