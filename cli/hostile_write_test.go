//go:build unix

package cli

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"graft/onnx"
	"graft/runtime/runtimetest"
)

// writingLines are the verbs that write: a file at $OUT, or below $OUT where the line ends with a slash; $MODEL is what they read.
var writingLines = []string{
	"simplify $MODEL --out $OUT.onnx --no-runtime",
	"convert $MODEL --out $OUT.onnx --opset 18",
	"convert $MODEL --out $OUT.safetensors",
	"convert $MODEL --out $OUT.npz",
	"prune $MODEL --out $OUT.onnx --method magnitude --sparsity 0.5",
	"export $MODEL --out $OUT.onnx --no-verify",
	"export $MODEL --out $OUT.safetensors --packed --no-verify",
	"build mlp --out $OUT.onnx",
	"inspect $MODEL --out $OUT.txt",
	"inspect $MODEL --html $OUT.html",
	"inspect $MODEL --dot $OUT.dot",
	"check $MODEL --out $OUT.txt --json",
	"completion bash --out $OUT.txt",
	"artifacts $MODEL --out $OUT --loss mse --optimizer adam",
	"run $MODEL --out $OUT",
}

// writer runs writing lines.
type writer struct {
	library string // ONNX Runtime
	model   string
}

// args fills a line in and tells the path that it writes.
func (w writer) args(line, out string, more ...string) (args []string, target string) {
	args = append(strings.Fields(strings.NewReplacer("$MODEL", w.model, "$OUT", out).Replace(line)), more...)
	for _, a := range args {
		if strings.HasPrefix(a, out) {
			target = a
		}
	}
	if strings.HasPrefix(line, "run ") {
		args = append(args, "--ort-lib", w.library)
	}
	return args, target
}

// try runs a line and gives its exit code and what it printed.
func (w writer) try(t testing.TB, args []string) (code int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	code = NewApp(strings.NewReader(""), &out, &err).Run(t.Context(), append([]string{"graft"}, args...))
	return code, out.String(), err.String()
}

// newWriter writes a model whose data lies in the file at a location, "" for none.
func newWriter(t testing.TB, folder, location string) writer {
	t.Helper()
	w := writer{library: runtimetest.Library(t), model: filepath.Join(folder, "model.onnx")}
	tensor := rawTensor("w", []uint64{2, 2}, make([]byte, 16))
	if location != "" {
		entry := field(field(nil, 1, []byte("location")), 2, []byte(location))
		tensor = field(nil, 5, varint(field(field(varint(varint(varint(nil, 1, 2), 1, 2), 2, 1), 8, []byte("w")), 13, entry), 14, 1))
	}
	file("model.onnx", rawModel(rawNode("MatMul", "product", "x", "y", "w"), tensor))(t, folder)
	return w
}

// victim is a file that nothing may write to: its content, and its inode's times and links.
type victim struct {
	path string
	info fs.FileInfo
	data []byte
}

func newVictim(t testing.TB, path string) victim {
	t.Helper()
	v := victim{path: path, data: []byte("\x00\x00\x80\x3f\x00\x00\x00\x40\x00\x00\x40\x40\x00\x00\x80\x40")}
	file(filepath.Base(path), v.data)(t, filepath.Dir(path))
	var err error
	if v.info, err = os.Lstat(path); err != nil {
		t.Fatal(err)
	}
	return v
}

// untouched is false, with an error told, when the victim is not as it was.
func (v victim) untouched(t testing.TB, line string) bool {
	t.Helper()
	data, err := os.ReadFile(v.path)
	info, staterr := os.Lstat(v.path)
	if err != nil || staterr != nil || !bytes.Equal(data, v.data) || !os.SameFile(info, v.info) || !info.ModTime().Equal(v.info.ModTime()) {
		t.Errorf("%s: the victim is %q, %v (%v, %v)", line, data, info, err, staterr)
		return false
	}
	return true
}

// TestHostileW01Saved writes models whose data lies outside of their folder, where that is allowed: it is read and not written.
func TestHostileW01Saved(t *testing.T) {
	top := t.TempDir()
	folder := filepath.Join(top, "models")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	w, v := newWriter(t, folder, "../victim"), newVictim(t, filepath.Join(top, "victim"))
	for i, line := range writingLines {
		if !strings.Contains(line, "$MODEL") {
			continue
		}
		args, target := w.args(line, filepath.Join(folder, "out"+string(rune('a'+i))), "--allow-external", top)
		graft(t, exitDone, args...)
		v.untouched(t, line)
		if filepath.Ext(target) == ".onnx" {
			m, err := onnx.Load(target, onnx.LoadOptions{})
			if err != nil {
				t.Errorf("%s: %v", line, err)
			} else if m.Graph.Lookup("w").Const.Len() != 4 {
				t.Errorf("%s: no weights", line)
			}
		}
	}
}

// TestHostileW02HardLinkedOutput writes over a file that has another name: the file gets a new inode, the other name keeps its own.
func TestHostileW02HardLinkedOutput(t *testing.T) {
	folder := t.TempDir()
	w, v := newWriter(t, folder, ""), newVictim(t, filepath.Join(folder, "victim"))
	for i, line := range writingLines {
		args, target := w.args(line, filepath.Join(folder, "out"+string(rune('a'+i))), "--force")
		if filepath.Ext(target) == "" { // the folder is replaced with what is in it
			if err := os.Mkdir(target, 0o700); err != nil {
				t.Fatal(err)
			}
			target = filepath.Join(target, "manifest.json")
		}
		if err := os.Link(v.path, target); err != nil {
			t.Fatal(err)
		}
		graft(t, exitDone, args...)
		v.untouched(t, line)
		if info, err := os.Lstat(target); err != nil || os.SameFile(info, v.info) {
			t.Errorf("%s: %s is not a new file (%v)", line, target, err)
		}
	}
}

// TestHostileW03PlantedLink writes where a link to a victim lies: it is refused, whatever is asked for.
func TestHostileW03PlantedLink(t *testing.T) {
	folder := t.TempDir()
	w, v := newWriter(t, folder, ""), newVictim(t, filepath.Join(folder, "victim"))
	if err := os.Mkdir(filepath.Join(folder, "inner"), 0o700); err != nil {
		t.Fatal(err)
	}
	inner := newVictim(t, filepath.Join(folder, "inner", "manifest.json"))
	for i, line := range writingLines {
		args, target := w.args(line, filepath.Join(folder, "out"+string(rune('a'+i))), "--force")
		to := "victim"
		if filepath.Ext(target) == "" {
			to = "inner"
		}
		if err := os.Symlink(to, target); err != nil {
			t.Fatal(err)
		}
		before := listing(t, folder)
		if code, stdout, stderr := w.try(t, args); code != exitEnvironment || strings.Count(stderr, "\n") > 3 {
			t.Errorf("%s: exit code %d\n%s%s", line, code, stdout, stderr)
		}
		v.untouched(t, line)
		inner.untouched(t, line)
		if after := strings.ReplaceAll(listing(t, folder), "."+filepath.Base(target)+".graft-lock", ""); len(after) < len(before) {
			t.Errorf("%s: files were\n%s\nand are\n%s", line, before, after)
		}
	}
}

// TestHostileW03Race writes a thousand times where links to a victim come and go: what is written is the file of that name.
func TestHostileW03Race(t *testing.T) {
	const rounds = 1000
	folder := t.TempDir()
	if inMemory, err := os.MkdirTemp("/dev/shm", "graft-race"); err == nil { // there a sync takes no time
		t.Cleanup(func() { _ = os.RemoveAll(inMemory) })
		folder = inMemory
	}
	w, v := newWriter(t, folder, ""), newVictim(t, filepath.Join(folder, "victim"))
	for i, line := range writingLines {
		args, target := w.args(line, filepath.Join(folder, "out"+string(rune('a'+i))), "--force")
		to := "victim"
		if filepath.Ext(target) == "" {
			to = "."
		}
		done := make(chan struct{})
		var planter sync.WaitGroup
		planter.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					_ = os.Symlink(to, target) // fails where something lies
					time.Sleep(10 * time.Microsecond)
					_ = os.Remove(target)
					time.Sleep(10 * time.Microsecond)
				}
			}
		})
		written := 0
		for range rounds/len(writingLines) + 1 {
			code, stdout, stderr := w.try(t, args)
			switch code {
			case exitDone:
				written++
			case exitEnvironment:
			default:
				t.Errorf("%s: exit code %d\n%s%s", line, code, stdout, stderr)
			}
			if !v.untouched(t, line) {
				break
			}
		}
		close(done)
		planter.Wait()
		if written == 0 {
			t.Errorf("%s: not once was anything written", line)
		}
	}
}

// TestHostileW02Log begins and goes on with the log of a training where a link or another name of a victim lies.
func TestHostileW02Log(t *testing.T) {
	folder := t.TempDir()
	v, path := newVictim(t, filepath.Join(folder, "victim")), filepath.Join(folder, "log")
	for name, link := range map[string]func(string, string) error{"link": os.Symlink, "name": os.Link} {
		for _, keep := range []int64{0, 4} {
			_ = os.Remove(path)
			if err := link(v.path, path); err != nil {
				t.Fatal(err)
			}
			f, err := openLog(path, keep)
			if err == nil {
				_, err = f.WriteString("line\n")
				f.Close()
			}
			if (err == nil) != (keep == 0) {
				t.Errorf("%s, %d bytes kept: %v", name, keep, err)
			}
			v.untouched(t, name)
		}
	}
	_ = os.Remove(path)
	for _, keep := range []int64{0, 5} {
		f, err := openLog(path, keep)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteString("line\nmore\n"); err != nil || f.Close() != nil {
			t.Fatal(err)
		}
	}
	if data, err := os.ReadFile(path); string(data) != "line\nline\nmore\n" {
		t.Errorf("%q, %v", data, err)
	}
}

// TestHostileW05OutputIsInput writes over what is read: a file that is mapped, and one whose data, which lies beside it, is.
func TestHostileW05OutputIsInput(t *testing.T) {
	for _, c := range []struct {
		line     string
		columns  int64
		external bool
	}{
		{writingLines[1], 2 << 20, false}, // 16 MiB
		{writingLines[0], 1 << 10, true}, {writingLines[1], 1 << 10, true}, {writingLines[4], 1 << 10, true}, {writingLines[5], 1 << 10, true},
	} {
		folder := t.TempDir()
		path := filepath.Join(folder, "model.onnx")
		weight := onnx.NewTensor(onnx.Float, 2, c.columns)
		for i, x := 0, weight.Float32s(); i < len(x); i += 100 {
			x[i] = float32(i)
		}
		g := onnx.NewGraph("product")
		x := g.AddInput("x", onnx.TypeOf(onnx.Float, 1, 2))
		n := g.Add("MatMul", []*onnx.Value{x, g.AddInitializer("w", weight)}, 1)
		n.Output(0).Type = onnx.TypeOf(onnx.Float, 1, c.columns)
		g.AddOutput(n.Output(0), "y")
		m := &onnx.Model{IRVersion: 8, Opsets: []onnx.Opset{{Version: 17}}, Graph: g}
		save := m.Save
		if c.external {
			save = m.SaveExternal
		}
		if err := save(path); err != nil {
			t.Fatal(err)
		}
		w := writer{model: path}
		apart, target := w.args(c.line, filepath.Join(folder, "apart"))
		graft(t, exitDone, apart...)
		over, _ := w.args(c.line, filepath.Join(folder, "model"), "--force")
		graft(t, exitDone, over...)
		one, err := onnx.Load(target, onnx.LoadOptions{})
		two, err2 := onnx.Load(path, onnx.LoadOptions{})
		if err != nil || err2 != nil {
			t.Errorf("%s: %v, %v", c.line, err, err2)
			continue
		}
		apartBytes, err := one.Encode() // the names of their data files differ
		overBytes, err2 := two.Encode()
		if err != nil || err2 != nil || !bytes.Equal(apartBytes, overBytes) {
			t.Errorf("%s: %d bytes apart, %d over the input (%v, %v)", c.line, len(apartBytes), len(overBytes), err, err2)
		}
	}
}
