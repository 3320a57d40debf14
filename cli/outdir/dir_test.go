package outdir

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"testing"
	"time"
)

const manifest = `{"producer": "graft", "files": []}`

// tree lists every file below root with its content, folders with a slash.
func tree(t *testing.T, root string) string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil || path == root {
			return err
		}
		rel, _ := filepath.Rel(root, path)
		if e.IsDir() {
			all = append(all, filepath.ToSlash(rel)+"/")
			return nil
		}
		if !e.Type().IsRegular() {
			all = append(all, filepath.ToSlash(rel)+"@")
			return nil
		}
		b, err := os.ReadFile(path)
		if string(b) == manifest {
			b = []byte("M")
		}
		all = append(all, filepath.ToSlash(rel)+"="+string(b))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	sort.Strings(all)
	return strings.Join(all, " ")
}

// plant makes files, from paths and contents in turn.
func plant(t *testing.T, root string, files ...string) {
	t.Helper()
	for i := 0; i < len(files); i += 2 {
		path := filepath.Join(root, files[i])
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o777), os.WriteFile(path, []byte(files[i+1]), 0o666)); err != nil {
			t.Fatal(err)
		}
	}
}

// run is a whole run that writes one result.
func run(path string, force bool, result string) error {
	d, err := Create(path, force)
	if err != nil {
		return err
	}
	defer d.Suspend()
	return errors.Join(d.WriteFile("result", []byte(result)), d.WriteFile(manifestName, []byte(manifest)), d.Commit())
}

func TestRunTwice(t *testing.T) {
	root := t.TempDir()
	path := filepath.Join(root, "deep", "er", "out") + string(filepath.Separator)
	for _, result := range []string{"first", "second"} {
		if err := run(path, false, result); err != nil {
			t.Fatal(err)
		}
		if got := tree(t, root); got != "deep/ deep/er/ deep/er/out/ deep/er/out/manifest.json=M deep/er/out/result="+result {
			t.Errorf("%s: %s", result, got)
		}
	}
}

// The former folder is whole until the new one is.
func TestFormerFolderStaysUntilCommit(t *testing.T) {
	root := t.TempDir()
	path := filepath.Join(root, "out")
	if err := run(path, false, "first"); err != nil {
		t.Fatal(err)
	}
	d, err := Create(path, false)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.WriteFile("sub/new", []byte("n")); err != nil {
		t.Fatal(err)
	}
	if got := tree(t, path); got != "manifest.json=M result=first" {
		t.Errorf("while running: %s", got)
	}
	if err := d.Commit(); err == nil || !strings.Contains(err.Error(), "manifest.json") {
		t.Errorf("commit without a manifest: %v", err)
	}
	if got := tree(t, path); got != "manifest.json=M result=first" {
		t.Errorf("after a refused commit: %s", got)
	}
	d, err = Resume(path, false)
	if err != nil || !d.Resumed() {
		t.Fatal(err)
	}
	if err := d.Abort(); err != nil {
		t.Fatal(err)
	}
	if got := tree(t, root); got != "out/ out/manifest.json=M out/result=first" {
		t.Errorf("after abort: %s", got)
	}
	if d.Abort() != nil || d.Suspend() != nil || d.Commit() == nil {
		t.Error("a Dir that has ended goes on")
	}
}

func TestForeignFolders(t *testing.T) {
	for name, files := range map[string][]string{
		"foreign":          {"out/photo.jpg", "x"},
		"hidden":           {"out/.git/HEAD", "x"},
		"other producer":   {"out/manifest.json", `{"producer": "npm"}`},
		"not JSON":         {"out/manifest.json", "graft"},
		"array":            {"out/manifest.json", `[{"producer": "graft"}]`},
		"manifest is deep": {"out/sub/manifest.json", manifest},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			plant(t, root, files...)
			before := tree(t, root)
			err := run(filepath.Join(root, "out"), false, "r")
			if err == nil || !strings.Contains(err.Error(), "--force") || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %v", err)
			}
			if after := tree(t, root); after != before {
				t.Errorf("%s became %s", before, after)
			}
			if err := run(filepath.Join(root, "out"), true, "r"); err != nil {
				t.Fatal(err)
			}
			if got := tree(t, root); got != "out/ out/manifest.json=M out/result=r" {
				t.Errorf("forced: %s", got)
			}
		})
	}
	root := t.TempDir()
	plant(t, root, "file", "x", "other.partial/mine", "x")
	if err := os.Mkdir(filepath.Join(root, "empty"), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(t.TempDir(), filepath.Join(root, "link")); err != nil {
		t.Fatal(err)
	}
	if err := run(filepath.Join(root, "empty"), false, "r"); err != nil {
		t.Errorf("an empty folder: %v", err)
	}
	t.Chdir(filepath.Join(root, "empty"))
	for path, want := range map[string]string{
		filepath.Join(root, "file"): "is a file", filepath.Join(root, "link"): "is a symbolic link",
		".": "is the current folder", "..": "or one above it", string(filepath.Separator): "is the root folder", "": "no output folder",
		filepath.Join(root, "other"): "graft did not make it", filepath.Join(root, "file", "out"): "not a folder",
		filepath.Join(root, "empty", "x", "..", "..", "empty"): "is the current folder",
	} {
		for _, force := range []bool{false, true} {
			if _, err := Create(path, force); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%q, force %v: error %v, want %q", path, force, err, want)
			} else {
				t.Log(err)
			}
		}
	}
	if got := tree(t, root); !strings.Contains(got, "other.partial/mine=x") || strings.Contains(got, lockSuffix) {
		t.Errorf("left behind: %s", got)
	}
}

// Every state that a crash can leave is mended by the next run, and a complete result is never lost.
func TestRepair(t *testing.T) {
	const old, sealed, open = ".out.graft-old/", "out.partial/", "out.partial/.graft-run"
	for _, c := range []struct {
		name  string
		files []string
		want  string // after Create and Abort
	}{
		{"killed at work", []string{"out/manifest.json", manifest, "out/r", "1", open, "", "out.partial/r", "half"}, "out/ out/manifest.json=M out/r=1"},
		{"killed at first work", []string{open, "", "out.partial/r", "half"}, ""},
		{"killed after sealing", []string{"out/manifest.json", manifest, "out/r", "1", sealed + "manifest.json", manifest, sealed + "r", "2"}, "out/ out/manifest.json=M out/r=1"},
		{"killed between the renames", []string{old + "manifest.json", manifest, old + "r", "1", sealed + "manifest.json", manifest, sealed + "r", "2"}, "out/ out/manifest.json=M out/r=2"},
		{"killed before the old one went", []string{old + "manifest.json", manifest, old + "r", "1", "out/manifest.json", manifest, "out/r", "2"}, "out/ out/manifest.json=M out/r=2"},
		{"killed while the old one went", []string{old + "r", "1", "out/manifest.json", manifest, "out/r", "2"}, "out/ out/manifest.json=M out/r=2"},
		{"new one gone", []string{old + "manifest.json", manifest, old + "r", "1"}, "out/ out/manifest.json=M out/r=1"},
		{"new one unfinished", []string{old + "manifest.json", manifest, old + "r", "1", open, "", sealed + "manifest.json", manifest}, "out/ out/manifest.json=M out/r=1"},
		{"killed while discarding", []string{".out.graft-trash/r", "half", "out/manifest.json", manifest}, "out/ out/manifest.json=M"},
		{"lock file of a dead run", []string{".out.graft-lock", ""}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			root := t.TempDir()
			plant(t, root, c.files...)
			d, err := Create(filepath.Join(root, "out"), false)
			if err != nil {
				t.Fatal(err)
			}
			if err := d.Abort(); err != nil {
				t.Fatal(err)
			}
			if got := tree(t, root); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

func TestResume(t *testing.T) {
	root := t.TempDir()
	path := filepath.Join(root, "out")
	d, err := Resume(path, false)
	if err != nil || d.Resumed() {
		t.Fatalf("nothing to resume: %v", err)
	}
	if err := errors.Join(d.WriteFile("checkpoint/w", []byte("7")), d.Suspend()); err != nil {
		t.Fatal(err)
	}
	plant(t, root, "out.partial/checkpoint/.w123456789012", "half", "out.partial/checkpoint/.keep", "k")
	d, err = Resume(path, false)
	if err != nil || !d.Resumed() {
		t.Fatalf("resumed %v, %v", d.Resumed(), err)
	}
	if got := tree(t, root); got != ".out.graft-lock= out.partial/ out.partial/.graft-run= out.partial/checkpoint/ out.partial/checkpoint/.keep=k out.partial/checkpoint/w=7" {
		t.Errorf("resumed: %s", got)
	}
	if err := errors.Join(d.WriteFile(manifestName, []byte(manifest)), d.Commit()); err != nil {
		t.Fatal(err)
	}
	if got := tree(t, root); got != "out/ out/checkpoint/ out/checkpoint/.keep=k out/checkpoint/w=7 out/manifest.json=M" {
		t.Errorf("committed: %s", got)
	}
}

func TestNamesStayInside(t *testing.T) {
	d := &Dir{work: filepath.Join("a", "out.partial")}
	for name, want := range map[string]string{
		"x": "x", "sub/x": "sub/x", "../x": "x", "/etc/passwd": "etc/passwd", "a/../../../x": "x", "": "",
	} {
		if got := d.File(name); got != filepath.Join(d.work, filepath.FromSlash(want)) {
			t.Errorf("File(%q) = %q", name, got)
		}
	}
}

func TestCommitLooksAgain(t *testing.T) {
	root := t.TempDir()
	path := filepath.Join(root, "out")
	d, err := Create(path, false)
	if err != nil {
		t.Fatal(err)
	}
	plant(t, root, "out/thesis.tex", "years")
	err = errors.Join(d.WriteFile(manifestName, []byte(manifest)), d.Commit())
	if err == nil || !strings.Contains(tree(t, root), "out/thesis.tex=years") {
		t.Errorf("a folder that filled up during the run was replaced: %v", err)
	}
	if !strings.Contains(tree(t, root), "out.partial/manifest.json=M") {
		t.Error("the work is lost")
	}
}

// Two runs cannot share a folder, and a killed run frees it: the child holds the lock until it dies.
func TestLock(t *testing.T) {
	if path := os.Getenv("OUTDIR_CHILD"); path != "" {
		d, err := Create(path, false)
		if err == nil {
			err = d.WriteFile("w", []byte("child"))
		}
		fmt.Println("READY", err)
		time.Sleep(time.Minute)
		return
	}
	path := filepath.Join(t.TempDir(), "out")
	child := exec.Command(os.Args[0], "-test.run=^TestLock$")
	child.Env = append(os.Environ(), "OUTDIR_CHILD="+path)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer child.Process.Kill()
	line := make([]byte, 64)
	n, _ := out.Read(line)
	if !bytes.HasPrefix(line[:n], []byte("READY <nil>")) {
		t.Fatalf("child said %q", line[:n])
	}
	for _, open := range []func(string, bool) (*Dir, error){Create, Resume} {
		if _, err := open(path, true); !errors.Is(err, ErrInUse) {
			t.Errorf("error %v, want ErrInUse", err)
		} else {
			t.Log(err)
		}
	}
	child.Process.Kill()
	child.Wait()
	d, err := Resume(path, false)
	if err != nil || !d.Resumed() {
		t.Fatalf("after the kill: %v", err)
	}
	defer d.Abort()
	if b, err := os.ReadFile(d.File("w")); string(b) != "child" {
		t.Errorf("work of the killed run: %q, %v", b, err)
	}
	if _, err := Create(path, false); !errors.Is(err, ErrInUse) {
		t.Errorf("error %v, want ErrInUse in one process too", err)
	}
}
