package training_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"graft/onnx"
	"graft/onnx/op"
	"graft/runtime/runtimetest"
	"graft/training"
	"graft/training/loss"
	"graft/training/optim"
)

// widths are of parameters that the update has in rows of their own, in one row of its own, among the small ones, and there
// for being prime.
var widths = []int64{1 << 18, 7, 100_003, 262_147, 9}

const wide = 1<<18 + 7 + 100_003 + 262_147 + 9

// products is y = x [w0 w1 ...] with wi [1,widths[i]].
func products(t *testing.T, optimizer string, clip float64) *training.Artifacts {
	t.Helper()
	g := onnx.NewGraph("products")
	x := g.AddInput("x", onnx.TypeOf(onnx.Float, 1, 1))
	b := op.NewBuilder(g)
	var parts []*onnx.Value
	for i, width := range widths {
		w := onnx.NewTensor(onnx.Float, 1, width)
		for i := range w.Float32s() {
			w.Float32s()[i] = float32(i%17) / 16
		}
		parts = append(parts, b.MatMul(x, g.AddInitializer(fmt.Sprint("w", i), w)))
	}
	g.AddOutput(b.Concat(1, parts...), "y")
	if err := b.Err(); err != nil {
		t.Fatal(err)
	}
	m := &onnx.Model{IRVersion: 8, Opsets: []onnx.Opset{{Version: 17}}, Graph: g}
	mse, err := loss.Lookup("mse")
	if err != nil {
		t.Fatal(err)
	}
	o, err := optim.Lookup(optimizer)
	if err != nil {
		t.Fatal(err)
	}
	a, err := training.NewArtifacts(m, training.ArtifactConfig{Loss: mse, Optimizer: o, ClipNorm: clip})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// A loop updates in rows what the fused model updates at once, to the same bits; a norm is summed in another order.
func TestRowsEqualWhole(t *testing.T) {
	for optimizer, clip := range map[string]float64{"sgd": 0, "adam": 0, "adamw": 0.1, "lion": 0, "rmsprop": 0} {
		a := products(t, optimizer, clip)
		feeds := map[string]*onnx.Tensor{"x": onnx.FromSlice([]float32{2}, 1, 1), "target": onnx.NewTensor(onnx.Float, 1, wide)}
		l := &training.Loop{Step: a.Fused, Session: runtimetest.Options(t), Rate: func(int64) float64 { return 1e-2 },
			Feed: func(int64) map[string]*onnx.Tensor { return feeds }}
		end, err := l.Run(t.Context(), a.Start(), 3, 0, nil)
		if err != nil {
			t.Fatal(err)
		}
		state := map[string]*onnx.Tensor{}
		for i, p := range a.Fused.Packing.Unpack(a.Start().Trained) {
			state[p.Name] = p
			for _, slot := range a.Contract.Slots {
				state[p.Name+"."+slot] = onnx.NewTensor(onnx.Float, 1, widths[i])
			}
		}
		session := open(t, a.Fused.Model)
		for step := int64(1); step <= 3; step++ {
			in := map[string]*onnx.Tensor{"x": feeds["x"], "target": feeds["target"], training.InputStep: onnx.FromSlice([]int64{step}),
				training.InputRate: onnx.FromSlice([]float32{1e-2})}
			maps.Copy(in, state)
			out := run1(t, session, only(a.Fused.Model, in))
			for name := range state {
				state[name] = out[name+".next"]
			}
		}
		compare := func(packed *onnx.Tensor, suffix string) {
			for _, p := range a.Fused.Packing.Unpack(packed) {
				want := state[p.Name+suffix]
				if clip == 0 && bytes.Equal(p.Data, want.Data) {
					continue
				}
				for i, x := range p.Float32s() {
					if y := want.Float32s()[i]; clip == 0 || math.Abs(float64(x-y)) > 1e-6*math.Abs(float64(y))+1e-12 {
						t.Fatalf("%s: %s[%d] is %g, not %g", optimizer, p.Name+suffix, i, x, y)
					}
				}
			}
		}
		compare(end.Trained, "")
		for _, slot := range a.Contract.Slots {
			compare(end.Slots[slot], "."+slot)
		}
		feeds["target"].Float32s()[7] = float32(math.Inf(1))
		if _, err = l.Run(t.Context(), end, 4, 0, nil); !errors.Is(err, training.ErrDiverged) {
			t.Errorf("%s: %v", optimizer, err)
		}
	}
}

// Large parameters have inputs of their own, the small ones one, and all are updated where they lie.
func TestUpdatedInPlace(t *testing.T) {
	got, states, err := training.UpdatedInPlace(products(t, "adam", 0).Fused)
	if err != nil || states != 9 {
		t.Fatalf("%d states, want 9: %v", states, err)
	}
	slices.Sort(got)
	const want = "graft.packed graft.packed.momentum0 graft.packed.momentum1 w0 w0.momentum0 w0.momentum1 w2 w2.momentum0 w2.momentum1"
	if strings.Join(got, " ") != want {
		t.Errorf("in place are %v, want %s", got, want)
	}
}

// In the optimizer model a large tensor is updated by itself and the small ones together, under one norm.
func TestOptimizerOfLargeTensors(t *testing.T) {
	const clip, rate = 0.5, 0.25
	a := products(t, "sgd", clip)
	feeds := map[string]*onnx.Tensor{training.InputRate: onnx.FromSlice([]float32{rate}), training.InputStep: onnx.FromSlice([]int64{1})}
	squares := 0.0
	start := a.Fused.Packing.Unpack(a.Start().Trained)
	for i, p := range start {
		g := onnx.NewTensor(onnx.Float, p.Dims...)
		for j := range g.Float32s() {
			x := float64((i+j)%5-2) / 8
			g.Float32s()[j] = float32(x)
			squares += x * x
		}
		feeds[p.Name], feeds[p.Name+"_grad"] = p, g
	}
	out := run1(t, open(t, a.Optimizer), only(a.Optimizer, feeds))
	for _, p := range start {
		for j, got := range out[p.Name+".next"].Float32s() {
			want := float64(p.Float32s()[j]) - rate*float64(feeds[p.Name+"_grad"].Float32s()[j])*clip/math.Sqrt(squares)
			if math.Abs(float64(got)-want) > 1e-6 {
				t.Fatalf("%s[%d] is %g, want %g", p.Name, j, got, want)
			}
		}
	}
	if n := len(a.Optimizer.Graph.Nodes()); n > 80 {
		t.Errorf("%d nodes", n)
	}
}
