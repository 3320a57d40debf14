package cli

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"graft/onnx"
)

var large = flag.Bool("large", false, "measure the verbs on models of 1.6 and 3 GB, for which the folder for temporary files needs 12 GB")

// perceptron is a model of count products with weights of side*side float32 each. The weights differ and take little memory:
// they are parts of one vector.
func perceptron(count, side int) *onnx.Model {
	n := side * side
	all := onnx.NewTensor(onnx.Float, int64(n+64*count))
	state := uint64(1)
	for i := range all.Float32s() {
		state = state*6364136223846793005 + 1442695040888963407
		all.Float32s()[i] = (float32(state>>40)/(1<<24) - 0.5) / float32(side) * 8
	}
	g := onnx.NewGraph("perceptron")
	v := g.AddInput("x", onnx.TensorType{DType: onnx.Float, Shape: onnx.Shape{{Symbol: "batch"}, onnx.NewShape(int64(side))[0]}})
	for i := range count {
		w := &onnx.Tensor{DType: onnx.Float, Dims: []int64{int64(side), int64(side)}, Data: all.Data[256*i : 256*i+4*n]}
		v = g.Add("MatMul", []*onnx.Value{v, g.AddInitializer(fmt.Sprintf("w%d", i), w)}, 1).Output(0)
		bias := onnx.NewTensor(onnx.Float, int64(side))
		bias.Float32s()[i%side] = 1
		v = g.Add("Relu", []*onnx.Value{g.Add("Add", []*onnx.Value{v, g.AddInitializer(fmt.Sprintf("b%d", i), bias)}, 1).Output(0)}, 1).Output(0)
	}
	g.AddOutput(v, "y")
	v.Type = g.Inputs()[0].Type
	return &onnx.Model{IRVersion: 8, Opsets: []onnx.Opset{{Version: 17}}, Graph: g}
}

// took is what a run of graft took.
type took struct {
	seconds    float64
	peak, anon int64 // of memory: with and without pages of files
	err        error
	out        string
}

// measure runs a command and reads its memory as it goes.
func measure(name string, args ...string) (m took) {
	cmd := exec.Command(name, args...)
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	start := time.Now()
	if m.err = cmd.Start(); m.err != nil {
		return m
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	for {
		select {
		case m.err = <-done:
			m.seconds, m.out = time.Since(start).Seconds(), out.String()
			if u, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok && m.peak == 0 {
				m.peak = u.Maxrss << 10
			}
			return m
		case <-time.After(10 * time.Millisecond):
			peak, anon := memoryOf(cmd.Process.Pid)
			m.peak, m.anon = max(m.peak, peak), max(m.anon, anon)
		}
	}
}

// memoryOf is the peak of a process's memory, and how much of it is no file's now.
func memoryOf(pid int) (peak, anon int64) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		fields := strings.Fields(s.Text())
		if len(fields) < 2 {
			continue
		}
		n, _ := strconv.ParseInt(fields[1], 10, 64)
		switch fields[0] {
		case "VmHWM:":
			peak = n << 10
		case "RssAnon:":
			anon = n << 10
		}
	}
	return peak, anon
}

// largeBinary is the graft to measure, built unless GRAFT_LARGE_BINARY names one.
func largeBinary(t *testing.T) string {
	if graft := os.Getenv("GRAFT_LARGE_BINARY"); graft != "" {
		return graft
	}
	graft := filepath.Join(t.TempDir(), "graft")
	if out, err := exec.Command("go", "build", "-o", graft, "graft").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return graft
}

// TestLargeVerbs runs every verb on a model of 1.6 GB inline and one of 3 GB beside its file, and prints time and memory.
// GRAFT_LARGE_DIR names a folder that the models stay in.
func TestLargeVerbs(t *testing.T) {
	if !*large {
		t.Skip("-large runs it")
	}
	graft := largeBinary(t)
	dir := os.Getenv("GRAFT_LARGE_DIR")
	if dir == "" {
		dir = t.TempDir()
	}
	inline, beside := filepath.Join(dir, "inline.onnx"), filepath.Join(dir, "beside.onnx")
	for _, m := range []struct {
		path  string
		count int
		place onnx.Placement
	}{{inline, 24, onnx.Inline}, {beside, 46, onnx.OneFile}} {
		if _, err := os.Stat(m.path); err == nil {
			continue
		}
		if err := perceptron(m.count, 4096).SaveAs(m.path, onnx.SaveOptions{Weights: m.place}); err != nil {
			t.Fatal(err)
		}
	}
	only := os.Getenv("GRAFT_LARGE_VERBS")
	for _, v := range []struct {
		name string
		args string // IN and OUT are replaced
	}{
		{"inspect", "inspect IN"},
		{"check", "check IN"},
		{"check-runtime", "check IN --against-runtime"},
		{"rename", "convert IN --rename-input x=z --out OUT"},
		{"opset", "convert IN --opset 13 --out OUT"},
		{"simplify", "simplify IN --out OUT"},
		{"simplify-verify", "simplify IN --out OUT --verify"},
		{"prune", "prune IN --method magnitude --sparsity 0.5 --out OUT"},
		{"prune-layer", "prune IN --method magnitude --sparsity 0.5 --scope layer --out OUT"},
		{"export", "export IN --out OUT"},
		{"fp16-unchecked", "convert IN --precision fp16 --no-verify --out OUT"},
		{"fp16", "convert IN --precision fp16 --out OUT"},
		{"int8-dynamic", "convert IN --quantize int8-dynamic --no-verify --out OUT"},
		{"int8-static", "convert IN --quantize int8-static --out OUT"},
		{"int4", "convert IN --quantize int4 --no-verify --out OUT"},
		{"safetensors", "convert IN --out OUTDIR/o.safetensors"},
		{"artifacts", "artifacts IN --loss mse --optimizer sgd --train ^b --out OUTDIR/artifacts"},
		{"run", "run IN"},
		{"bench", "bench IN --rounds 3 --warmup 0"},
		{"compare", "compare IN IN"},
		{"diff", "diff IN IN"},
		{"verify", "verify IN --runtimes ort"},
	} {
		if only != "" && !strings.Contains(","+only+",", ","+v.name+",") {
			continue
		}
		for _, in := range []string{inline, beside} {
			if which := os.Getenv("GRAFT_LARGE_MODEL"); which != "" && !strings.HasPrefix(filepath.Base(in), which) {
				continue
			}
			out := t.TempDir()
			args := strings.Fields(strings.NewReplacer("IN", in, "OUTDIR", out, "OUT", filepath.Join(out, "o.onnx")).Replace(v.args))
			m := measure(graft, args...)
			note := ""
			if m.err != nil {
				note = fmt.Sprintf(" %v: %.300s", m.err, m.out)
			}
			t.Logf("%-16s %-12s %7.1f s %6d MB peak, %6d MB without files%s", v.name, filepath.Base(in), m.seconds, m.peak/1e6, m.anon/1e6, note)
			os.RemoveAll(out)
		}
	}
}
