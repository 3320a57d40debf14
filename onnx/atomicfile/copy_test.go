package atomicfile

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Parts of another file lie between what is written, in order; a part that is not there fails.
func TestCopyRange(t *testing.T) {
	dir := t.TempDir()
	source := bytes.Repeat([]byte("0123456789"), 300_000)
	if err := os.WriteFile(filepath.Join(dir, "source"), source, 0o644); err != nil {
		t.Fatal(err)
	}
	from, err := os.Open(filepath.Join(dir, "source"))
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	for _, name := range []string{"first", "again"} { // the place in the source does not move
		err = Write(filepath.Join(dir, name), 0o644, func(w io.Writer) error {
			to := w.(interface {
				CopyRange(*os.File, int64, int64) error
			})
			for _, part := range [][2]int64{{1, 10}, {7, 2_999_000}, {0, 0}} {
				if _, err := io.WriteString(w, "|"); err != nil {
					return err
				}
				if err := to.CopyRange(from, part[0], part[1]); err != nil {
					return err
				}
			}
			_, err := io.WriteString(w, "|")
			return err
		})
		want := "|" + string(source[1:11]) + "|" + string(source[7:2_999_007]) + "||"
		if err != nil || content(t, filepath.Join(dir, name)) != want {
			t.Errorf("%s: other bytes came back (%v)", name, err)
		}
	}
	err = Write(filepath.Join(dir, "short"), 0o644, func(w io.Writer) error {
		return w.(*target).CopyRange(from, 2_999_999, 2)
	})
	if err == nil || !strings.Contains(err.Error(), "shorter") {
		t.Errorf("a part behind the end: %v", err)
	}
	alone(t, dir, "again", "first", "source")
}
