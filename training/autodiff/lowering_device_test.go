package autodiff_test

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"testing"

	"graft/onnx"
	"graft/onnx/op"
	"graft/training/autodiff"
)

// deviceForm is a function whose gradient has another form on CUDA than on the CPU, or the same.
type deviceForm struct {
	name string
	dims [][]int64 // of its arguments; a last argument without dimensions is a vector of places
	f    function
	cpu  string // an operator that the CPU's form alone has; empty: the forms are the same
	cuda string // likewise
}

var deviceForms = []deviceForm{
	{"convolution, its input", [][]int64{{2, 8, 40, 40}, {4, 8, 3, 3}}, func(b *op.Builder, v []*onnx.Value) *onnx.Value {
		return b.Conv(v[0], v[1], nil, op.ConvAttrs{Kernel: []int64{3, 3}, Pads: []int64{1, 1, 1, 1}})
	}, "", "ConvTranspose"},
	{"convolution, uneven padding", [][]int64{{2, 8, 40, 40}, {4, 8, 4, 4}}, func(b *op.Builder, v []*onnx.Value) *onnx.Value {
		return b.Conv(v[0], v[1], nil, op.ConvAttrs{Kernel: []int64{4, 4}, Pads: []int64{1, 3, 2, 0}})
	}, "", "ConvTranspose"},
	{"convolution of stride 2, uneven padding", [][]int64{{2, 8, 41, 41}, {8, 8, 3, 3}}, func(b *op.Builder, v []*onnx.Value) *onnx.Value {
		return b.Conv(v[0], v[1], nil, op.ConvAttrs{Kernel: []int64{3, 3}, Strides: []int64{2, 2}, Pads: []int64{0, 1, 1, 2}})
	}, "MatMul", "Gemm"},
	{"convolution of small images", [][]int64{{2, 6, 9, 9}, {4, 6, 3, 3}}, func(b *op.Builder, v []*onnx.Value) *onnx.Value {
		return b.Conv(v[0], v[1], nil, op.ConvAttrs{Kernel: []int64{3, 3}})
	}, "MatMul", ""},
	{"maximum of windows", [][]int64{{2, 3, 8, 8}}, func(b *op.Builder, v []*onnx.Value) *onnx.Value {
		y, _ := b.MaxPoolIndices(v[0], op.PoolAttrs{Kernel: []int64{2, 2}, Strides: []int64{2, 2}})
		return y
	}, "MaxUnpool", "ScatterElements"},
	{"mean of windows", [][]int64{{2, 3, 9, 9}}, func(b *op.Builder, v []*onnx.Value) *onnx.Value {
		return b.AveragePool(v[0], op.PoolAttrs{Kernel: []int64{3, 3}, Strides: []int64{2, 2}, Pads: []int64{1, 1, 1, 1}})
	}, "MatMul", "ConvTranspose"},
	{"mean of windows, padding counted", [][]int64{{2, 3, 9, 10}}, func(b *op.Builder, v []*onnx.Value) *onnx.Value {
		return b.AveragePool(v[0], op.PoolAttrs{Kernel: []int64{3, 3}, Strides: []int64{2, 2}, Pads: []int64{1, 0, 0, 1}, CountIncludePad: true})
	}, "MatMul", "ConvTranspose"},
	{"mean of windows of stride 1", [][]int64{{2, 3, 9, 9}}, func(b *op.Builder, v []*onnx.Value) *onnx.Value {
		return b.AveragePool(v[0], op.PoolAttrs{Kernel: []int64{3, 3}})
	}, "MatMul", ""},
	{"mean of windows over the edge", [][]int64{{2, 3, 9, 9}}, func(b *op.Builder, v []*onnx.Value) *onnx.Value {
		return b.AveragePool(v[0], op.PoolAttrs{Kernel: []int64{4, 4}, Strides: []int64{3, 3}, CeilMode: true})
	}, "", ""},
	{"rows of a table", [][]int64{{9, 4}, nil}, func(b *op.Builder, v []*onnx.Value) *onnx.Value {
		return b.Gather(v[0], v[1], 0)
	}, "ScatterND", "ScatterElements"},
	{"entries of an inner axis", [][]int64{{2, 9, 4}, nil}, func(b *op.Builder, v []*onnx.Value) *onnx.Value {
		return b.Gather(v[0], v[1], 1)
	}, "ScatterND", "ScatterElements"},
	{"LayerNormalization", [][]int64{{3, 8}, {8}, {8}}, func(b *op.Builder, v []*onnx.Value) *onnx.Value {
		return b.Node("LayerNormalization", v, 1)[0]
	}, "", "LayerNormalization"},
	{"LayerNormalization, another shape of bias", [][]int64{{3, 2, 5}, {2, 5}, {5}}, func(b *op.Builder, v []*onnx.Value) *onnx.Value {
		return b.Node("LayerNormalization", v, 1, onnx.Int("axis", 1))[0]
	}, "", ""},
	{"RMSNormalization", [][]int64{{3, 8}, {8}}, func(b *op.Builder, v []*onnx.Value) *onnx.Value {
		return b.Node("RMSNormalization", v, 1)[0]
	}, "", "RMSNormalization"},
	{"Softmax", [][]int64{{3, 8}}, func(b *op.Builder, v []*onnx.Value) *onnx.Value {
		return b.Node("Softmax", v, 1)[0]
	}, "", ""},
}

// TestDeviceForms holds the forms for CUDA to the gradients of those for the CPU, and to be others where they should be. Both
// run on the machine's provider.
func TestDeviceForms(t *testing.T) {
	for _, c := range deviceForms {
		t.Run(c.name, func(t *testing.T) {
			var args []*onnx.Tensor
			var types []onnx.TensorType
			for i, dims := range c.dims {
				a := convert(random(uint64(i+1), dims...), onnx.Float)
				if dims == nil {
					a = onnx.NewTensor(onnx.Int64, 5)
					copy(a.Int64s(), []int64{3, -1, 3, 0, 5})
				}
				args, types = append(args, a), append(types, a.Type())
			}
			got := map[autodiff.Device][]*onnx.Tensor{}
			ops := map[autodiff.Device]map[string]bool{}
			for _, d := range []autodiff.Device{autodiff.CPU, autodiff.CUDA} {
				p := compileTypes(t, onnx.Float, types, func(b *op.Builder, x []*onnx.Value) ([]*onnx.Value, error) {
					y := c.f(b, x)
					if err := b.Err(); err != nil {
						return nil, err
					}
					if c.dims[len(c.dims)-1] == nil {
						x = x[:len(x)-1]
					}
					grads, err := autodiff.Options{Device: d}.GradientsFrom(b.Graph(), []*onnx.Value{y}, []*onnx.Value{b.Sin(y)}, x)
					if err != nil {
						return nil, err
					}
					b.Graph().SetOutputs(grads...)
					b.Graph().RemoveUnused()
					ops[d] = map[string]bool{}
					for _, n := range b.Graph().Nodes() {
						ops[d][n.Op] = true
					}
					b.Graph().SetOutputs()
					return grads, nil
				})
				got[d] = p.run(t, args)
			}
			for i, want := range got[autodiff.CPU] {
				largest := 0.0
				for _, v := range onnx.View[float64](want) {
					largest = math.Max(largest, math.Abs(v))
				}
				for j, v := range onnx.View[float64](want) {
					if d := onnx.View[float64](got[autodiff.CUDA][i])[j] - v; !(math.Abs(d) <= 1e-5*largest) {
						t.Fatalf("gradient %d, element %d: %v in the form for CUDA, %v in that for the CPU", i, j, v+d, v)
					}
				}
			}
			if c.cpu == "" && c.cuda == "" && !maps.Equal(ops[autodiff.CPU], ops[autodiff.CUDA]) {
				t.Errorf("the forms should be the same: %s", both(ops))
			}
			if c.cpu != "" && (!ops[autodiff.CPU][c.cpu] || ops[autodiff.CUDA][c.cpu]) {
				t.Errorf("%s should be in the CPU's form alone: %s", c.cpu, both(ops))
			}
			if c.cuda != "" && (!ops[autodiff.CUDA][c.cuda] || ops[autodiff.CPU][c.cuda]) {
				t.Errorf("%s should be in CUDA's form alone: %s", c.cuda, both(ops))
			}
		})
	}
}

func both(ops map[autodiff.Device]map[string]bool) string {
	return fmt.Sprintf("%v on the CPU, %v on CUDA", slices.Sorted(maps.Keys(ops[autodiff.CPU])), slices.Sorted(maps.Keys(ops[autodiff.CUDA])))
}
