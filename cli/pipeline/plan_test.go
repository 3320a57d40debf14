package pipeline

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

const matrix = `
matrix:
  model: [a.onnx, b.onnx]
  precision: [fp16, bf16]
  sparsity: [0.5, 0.9]
except: [{model: b.onnx, precision: bf16}]
steps:
  - {name: last, verb: compare, args: ["${steps.half}", "${steps.pruned}"]}
  - {name: slim, verb: simplify, args: "${matrix.model}", out: slim.onnx}
  - {name: half, verb: convert, args: "${steps.slim}", flags: {precision: "${matrix.precision}"}, out: half.onnx}
  - {name: pruned, verb: prune, args: "${steps.slim}", flags: {sparsity: "${matrix.sparsity}"}, outputs: {out: p.onnx, save-mask: m}}
`

func planOf(t *testing.T, dir, text string) *Plan {
	t.Helper()
	f, err := Parse(filepath.Join(dir, "p.yaml"), []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	p, err := f.Plan(Places{Work: filepath.Join(dir, "out")})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// A step runs once for each cell of the axes that it sees, and waits for those of the cells that it shares.
func TestMatrix(t *testing.T) {
	p := planOf(t, t.TempDir(), matrix)
	count := map[string]int{}
	for i, r := range p.Runs {
		count[r.Step.Name]++
		for _, n := range r.Needs {
			if slices.Index(p.Runs, n) >= i {
				t.Errorf("%s stands before %s, which it needs", r.ID, n.ID)
			}
			for axis, v := range n.Cell {
				if r.Cell[axis] != v {
					t.Errorf("%s needs %s of another cell", r.ID, n.ID)
				}
			}
		}
	}
	// Two models; three of the four model and precision; two by two; three by two.
	if count["slim"] != 2 || count["half"] != 3 || count["pruned"] != 4 || count["last"] != 6 {
		t.Errorf("%v", count)
	}
}

// runner counts what runs, and writes the outputs of each run.
type runner struct {
	mu   sync.Mutex
	ran  []string
	most atomic.Int32
	now  atomic.Int32
}

func (x *runner) run(_ context.Context, r *Run) Result {
	n := x.now.Add(1)
	defer x.now.Add(-1)
	for {
		most := x.most.Load()
		if n <= most || x.most.CompareAndSwap(most, n) {
			break
		}
	}
	time.Sleep(2 * time.Millisecond)
	x.mu.Lock()
	x.ran = append(x.ran, r.ID)
	x.mu.Unlock()
	for _, path := range r.Outputs() {
		if err := os.WriteFile(path, []byte(r.ID), 0o600); err != nil {
			return Result{Err: err}
		}
	}
	return Result{}
}

func (x *runner) take() []string {
	ran := slices.Sorted(slices.Values(x.ran))
	x.ran = nil
	return ran
}

func TestCache(t *testing.T) {
	dir := t.TempDir()
	write := func(name, data string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("a.onnx", "a")
	write("b.onnx", "b")
	x := &runner{}
	run := func(text, stamp string) []string {
		t.Helper()
		report := planOf(t, dir, text).Run(context.Background(), Options{Jobs: 4, Stamp: stamp, Execute: x.run})
		if !report.OK {
			t.Fatalf("%+v", report)
		}
		return x.take()
	}
	if got := run(matrix, "1"); len(got) != 15 {
		t.Errorf("the first run ran %v", got)
	}
	if most := x.most.Load(); most < 2 || most > 4 {
		t.Errorf("%d steps at a time, want 2 to 4", most)
	}
	if got := run(matrix, "1"); len(got) != 0 {
		t.Errorf("the second run ran %v", got)
	}
	// One input changes: its cells run, as far as what they read changes. The runner's outputs do not.
	write("b.onnx", "B")
	if got := run(matrix, "1"); !slices.Equal(got, []string{"slim.model=b.onnx"}) {
		t.Errorf("a changed input ran %v", got)
	}
	if got := run(strings.Replace(matrix, "[0.5, 0.9]", "[0.5, 0.8]", 1), "1"); len(got) != 5 || slices.ContainsFunc(got, func(id string) bool { return !strings.HasSuffix(id, "sparsity=0.8") }) {
		t.Errorf("another value ran %v", got)
	}
	if got := run(matrix, "2"); len(got) != 15 {
		t.Errorf("another program ran %v", got)
	}
	if err := os.WriteFile(filepath.Join(dir, "out", "half.model=a.onnx,precision=fp16", "half.onnx"), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := run(matrix, "2"); !slices.Equal(got, []string{"half.model=a.onnx,precision=fp16"}) {
		t.Errorf("a changed result ran %v", got)
	}
	if err := os.Remove(filepath.Join(dir, "out", "slim.model=a.onnx", "slim.onnx")); err != nil {
		t.Fatal(err)
	}
	if got := run(matrix, "2"); !slices.Equal(got, []string{"slim.model=a.onnx"}) {
		t.Errorf("a lost result ran %v", got)
	}
}

// A byte of the file in which a model keeps its weights is a byte of the input.
func TestCacheExternal(t *testing.T) {
	dir := t.TempDir()
	field := func(b []byte, number protowire.Number, value []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(b, number, protowire.BytesType), value)
	}
	varint := func(b []byte, number protowire.Number, v uint64) []byte {
		return protowire.AppendVarint(protowire.AppendTag(b, number, protowire.VarintType), v)
	}
	entry := field(field(nil, 1, []byte("location")), 2, []byte("w.bin"))
	tensor := varint(field(field(varint(varint(nil, 1, 1), 2, 1), 8, []byte("w")), 13, entry), 14, 1)
	model := field(varint(nil, 1, 8), 7, field(field(nil, 2, []byte("g")), 5, tensor))
	for name, data := range map[string][]byte{"m.onnx": model, "w.bin": {0, 0, 0, 1}} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	x := &runner{}
	run := func() int {
		planOf(t, dir, "steps: [{name: a, verb: check, args: m.onnx}]").Run(context.Background(), Options{Execute: x.run})
		return len(x.take())
	}
	if first, second := run(), run(); first != 1 || second != 0 {
		t.Fatalf("ran %d and %d", first, second)
	}
	if err := os.WriteFile(filepath.Join(dir, "w.bin"), []byte{0, 0, 0, 2}, 0o600); err != nil {
		t.Fatal(err)
	}
	if n := run(); n != 1 {
		t.Errorf("a changed weight in another file ran %d", n)
	}
}

// A step that says nothing of a file that it should have written has failed, and leaves nothing.
func TestMissingOutput(t *testing.T) {
	p := planOf(t, t.TempDir(), "steps: [{name: a, verb: check, out: x}]")
	report := p.Run(context.Background(), Options{Execute: func(context.Context, *Run) Result { return Result{} }})
	if report.OK || report.Failed != 1 || !strings.Contains(report.Steps[0].Reason, "not written its output out") {
		t.Errorf("%+v", report)
	}
	if _, err := os.Stat(p.Runs[0].Folder); !os.IsNotExist(err) {
		t.Errorf("the step's folder is there: %v", err)
	}
}

// Alone means that nothing else runs meanwhile.
func TestAlone(t *testing.T) {
	p := planOf(t, t.TempDir(), "matrix: {n: [1, 2, 3, 4]}\nsteps:\n- {name: a, verb: x, args: \"${matrix.n}\"}\n- {name: b, verb: x, args: \"${matrix.n}\", alone: true}\n")
	var now, bad atomic.Int32
	report := p.Run(context.Background(), Options{Jobs: 3, Execute: func(_ context.Context, r *Run) Result {
		n := now.Add(1)
		if r.Step.Alone && n > 1 {
			bad.Add(1)
		}
		time.Sleep(2 * time.Millisecond)
		if r.Step.Alone && now.Load() > 1 {
			bad.Add(1)
		}
		now.Add(-1)
		return Result{}
	}})
	if !report.OK || bad.Load() > 0 {
		t.Errorf("%d overlaps, %+v", bad.Load(), report)
	}
}

// Strings out of the file are data in every drawing.
func TestDrawings(t *testing.T) {
	p := planOf(t, t.TempDir(), "matrix: {n: [\"<script>\\\"\\\\\", \"a\\nb\"]}\nsteps:\n- {name: a, verb: x, args: \"${matrix.n}\", out: y}\n- {name: b, verb: \"<b>\", args: \"${steps.a}\"}\n")
	svg := p.SVG()
	if strings.Contains(svg, "<script") || strings.Contains(svg, "<b>") || strings.Count(svg, "<rect") != 4 || strings.Count(svg, "<path") != 2 {
		t.Error(svg)
	}
	if dot := p.DOT(); strings.Count(dot, " -> ") != 2 || !strings.Contains(dot, `\"`) {
		t.Error(dot)
	}
}
