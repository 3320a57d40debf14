package runtime_test

import (
	"errors"
	"math"
	"slices"
	"testing"

	"graft/onnx"
	"graft/runtime"
)

// TestFloats: what is of the type already is handed on as it is, and other types are rounded to the nearest.
func TestFloats(t *testing.T) {
	x := onnx.FromSlice([]float32{1, -0.1, 65520, float32(math.Inf(-1))}, 2, 2)
	x.Name = "x"
	if same, err := runtime.Floats(x, onnx.Float); err != nil || same != x {
		t.Errorf("%v, %v: a float32 tensor is not handed on", same, err)
	}
	for to, want := range map[onnx.DataType][]float64{
		onnx.Double:   {1, float64(float32(-0.1)), 65520, math.Inf(-1)},
		onnx.Float16:  {1, -0.0999755859375, math.Inf(1), math.Inf(-1)},
		onnx.BFloat16: {1, -0.10009765625, 65536, math.Inf(-1)},
	} {
		got, err := runtime.Floats(x, to)
		if err != nil || got.DType != to || got.Name != "x" || !slices.Equal(got.Dims, x.Dims) {
			t.Fatalf("%v: %v, %v", to, got, err)
		}
		if values, _ := got.Reals(); !slices.Equal(values, want) {
			t.Errorf("%v: %v, want %v", to, values, want)
		}
	}
	for _, c := range []struct {
		from *onnx.Tensor
		to   onnx.DataType
	}{{onnx.FromSlice([]int64{1}, 1), onnx.Float}, {x, onnx.Int64}} {
		if _, err := runtime.Floats(c.from, c.to); !errors.Is(err, runtime.ErrFeed) {
			t.Errorf("%v to %v: %v", c.from.DType, c.to, err)
		}
	}
}
