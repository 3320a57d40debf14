package autodiff

import (
	"context"
	"fmt"
	"math"
	"testing"

	"graft/onnx"
	"graft/onnx/op"
	"graft/runtime"
	"graft/runtime/kernels"
)

// gathered is a session of the gradient of a Gather of count places from x along an axis, by one lowering.
func gathered(t testing.TB, l gatherLowering, axis int, count int64, threads int, dims ...int64) (*runtime.Session, map[string]*onnx.Tensor) {
	t.Helper()
	g := onnx.NewGraph(l.name)
	picked := append([]int64(nil), dims...)
	picked[axis] = count
	at, d := g.AddInput("at", onnx.TypeOf(onnx.Int64, count)), g.AddInput("d", onnx.TypeOf(onnx.Float, picked...))
	b := &Builder{Builder: op.NewBuilder(g)}
	g.AddOutput(l.emit(b, at, d, b.Ints(dims[axis]), axis), "dx")
	if b.Err() != nil {
		t.Fatal(b.Err())
	}
	places, values := onnx.NewTensor(onnx.Int64, count), onnx.NewTensor(onnx.Float, picked...)
	for i := range places.Int64s() {
		places.Int64s()[i] = int64(i*i*31+i)%(2*dims[axis]) - dims[axis]
	}
	for i := range values.Float32s() {
		values.Float32s()[i] = float32(i*i%7 - 3)
	}
	feeds := stayOnDevice(t, g, map[string]*onnx.Tensor{"at": places, "d": values})
	return openFormed(t, g, threads), feeds
}

// possible reports whether a lowering can add at any places along that axis, preferred or not.
func possible(l gatherLowering, axis int) bool {
	return l.name != "pad" && (l.name != "slices" || axis == 0)
}

// TestGatherLowerings holds all lowerings to the same result, exactly: the data are small whole numbers.
func TestGatherLowerings(t *testing.T) {
	for axis := range 3 {
		var want []float32
		for _, l := range append(gatherLowerings, gatherLowering{name: "sums", emit: (*Builder).scatterSums}) {
			if !possible(l, axis) {
				continue
			}
			s, feeds := gathered(t, l, axis, 7, 1, 4, 5, 3)
			out, err := s.Run(context.Background(), feeds)
			if err != nil {
				t.Fatal(err)
			}
			got := out["dx"].Float32s()
			if want == nil {
				want = got
			}
			for i := range got {
				if got[i] != want[i] || len(got) != len(want) {
					t.Fatalf("axis %d, %s: element %d is %v, want %v", axis, l.name, i, got[i], want[i])
				}
			}
		}
	}
}

// TestDeterministicGather: for a device nothing is added up by a scattering operator when asked for that, whatever is known of the
// sizes, and the gradient is the same.
func TestDeterministicGather(t *testing.T) {
	for _, batch := range []onnx.Dim{{Size: 6}, {Symbol: "batch"}} {
		var want []float32
		for _, deterministic := range []bool{false, true} {
			g := onnx.NewGraph("table")
			b := op.NewBuilder(g)
			table := g.AddInput("table", onnx.TypeOf(onnx.Float, 5, 3))
			at := g.AddInput("at", onnx.TensorType{DType: onnx.Int64, Shape: onnx.Shape{batch, {Size: 2}}})
			y := b.ReduceSum(b.Sin(b.Mul(b.Gather(table, at, 0), b.Cast(b.Unsqueeze(at, 2), onnx.Float))), false)
			if b.Err() != nil {
				t.Fatal(b.Err())
			}
			dx, err := Options{Device: CUDA, Deterministic: deterministic}.Gradients(g, y, []*onnx.Value{table})
			if err != nil {
				t.Fatal(err)
			}
			g.AddOutput(dx[0], "dx")
			g.RemoveUnused()
			adds := 0
			for _, n := range g.Nodes() {
				if onnx.AttrOr(n, "reduction", "none") == "add" {
					adds++
				}
			}
			if (adds == 0) != deterministic {
				t.Errorf("%v, deterministic %v: %d nodes add where places repeat", batch, deterministic, adds)
			}
			for _, f := range kernels.Fallbacks(&onnx.Model{IRVersion: 10, Opsets: []onnx.Opset{{Version: 18}}, Graph: g}, runtime.CUDA) {
				t.Errorf("%s has no kernel there: %s", f.Node.Op, f.Why)
			}
			values, places := onnx.NewTensor(onnx.Float, 5, 3), onnx.NewTensor(onnx.Int64, 6, 2)
			for i := range values.Float32s() {
				values.Float32s()[i] = float32(i) / 7
			}
			for i := range places.Int64s() {
				places.Int64s()[i] = int64(i*i%8) - 3
			}
			out, err := openFormed(t, g, 1).Run(context.Background(), map[string]*onnx.Tensor{"table": values, "at": places})
			if err != nil {
				t.Fatal(err)
			}
			got := out["dx"].Float32s()
			if want == nil {
				want = got
			}
			for i := range got {
				if math.Abs(float64(got[i]-want[i])) > 1e-5 {
					t.Fatalf("%v: element %d is %v, want %v", batch, i, got[i], want[i])
				}
			}
		}
	}
}

// BenchmarkGatherLowerings compares the lowerings at the shapes of embedding tables and of inner axes.
func BenchmarkGatherLowerings(b *testing.B) {
	for _, c := range []struct {
		dims  []int64
		axis  int
		count int64
	}{
		{[]int64{30522, 256}, 0, 512}, {[]int64{1024, 256}, 0, 512}, {[]int64{32, 256}, 0, 512}, {[]int64{2, 256}, 0, 512},
		{[]int64{128, 32}, 0, 4096}, {[]int64{1000, 1}, 0, 4096},
		{[]int64{64, 32, 64}, 1, 32}, {[]int64{8, 64, 512}, 1, 1}, {[]int64{512, 64}, 1, 4}, {[]int64{512, 64}, 1, 64},
		{[]int64{8, 16, 64, 64}, 3, 64},
	} {
		for _, l := range gatherLowerings {
			if !possible(l, c.axis) {
				continue
			}
			for _, threads := range []int{1} {
				b.Run(fmt.Sprintf("%d_of_%v_axis_%d/%s/threads_%d", c.count, c.dims, c.axis, l.name, threads), func(b *testing.B) {
					s, feeds := gathered(b, l, c.axis, c.count, threads, c.dims...)
					measure(b, s, feeds, func(run func()) { run() })
				})
			}
		}
	}
}
