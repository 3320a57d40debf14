package runtime_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"testing"

	"graft/onnx"
	"graft/runtime"
	"graft/runtime/runtimetest"
)

// TestElementTypes sends every element type through, as vector, scalar and empty tensor, with the output's shape declared
// and not.
func TestElementTypes(t *testing.T) {
	for d := onnx.Float; d.Valid(); d++ {
		t.Run(d.String(), func(t *testing.T) {
			for _, dims := range [][]int64{{5}, {}, {2, 0}, {2, 1, 3}} {
				for _, declared := range []bool{true, false} {
					var shape onnx.Shape
					if declared {
						shape = onnx.NewShape(dims...)
					}
					testIdentity(t, d, dims, shape)
				}
			}
		})
	}
}

// unregistered are the element types that ONNX Runtime's CPU build does not have at all.
var unregistered = []onnx.DataType{onnx.Complex64, onnx.Complex128}

// noIdentity are those for which it has no Identity: the input itself is the output.
var noIdentity = []onnx.DataType{onnx.Uint4, onnx.Int4, onnx.Float4E2M1, onnx.Float8E8M0, onnx.Uint2, onnx.Int2}

func testIdentity(t *testing.T, d onnx.DataType, dims []int64, shape onnx.Shape) {
	t.Helper()
	identity, name := node("Identity", []string{"x"}, []string{"y"}), "y"
	if slices.Contains(noIdentity, d) {
		identity, name = nil, "x"
	}
	s, err := runtime.Open(model(identity, value(11, "x", d, onnx.NewShape(dims...)), value(12, name, d, shape)),
		runtimetest.Options(t))
	if slices.Contains(unregistered, d) {
		wantError(t, err, runtime.ErrModel)
		return
	}
	if err != nil {
		t.Error(err)
		return
	}
	defer s.Close()
	x := onnx.NewTensor(d, dims...)
	for i := range x.Data {
		x.Data[i] = byte(i%2) | byte(i*37)&^1&mask(d)
	}
	if n := x.Len() * int64(d.Bits()); n%8 != 0 {
		x.Data[len(x.Data)-1] &= 1<<(n%8) - 1 // the unused bits are not carried
	}
	for i := range x.Strings {
		x.Strings[i] = fmt.Sprintf("a\x00ü%d", i)
	}
	out, err := s.Run(context.Background(), feeds{"x": x})
	if err != nil {
		t.Error(dims, err)
		return
	}
	y := out[name]
	if y.DType != d || !slices.Equal(y.Dims, dims) || !bytes.Equal(y.Data, x.Data) || !slices.Equal(y.Strings, x.Strings) {
		t.Errorf("%v %v: %v %q, want %v %q", y.Type(), dims, y.Data, y.Strings, x.Data, x.Strings)
	}
}

// mask keeps bools at 0 and 1.
func mask(d onnx.DataType) byte {
	if d == onnx.Bool {
		return 0
	}
	return 0xff
}

// TestUnalignedData feeds elements that start at an odd address, as in a view of a file.
func TestUnalignedData(t *testing.T) {
	s := open(t, addOne(3))
	x := onnx.FromSlice([]float32{1, 2, 3})
	backing := append([]byte{0}, x.Data...)
	x.Data = backing[1:]
	if out := run(t, s, feeds{"x": x}); fmt.Sprint(out["y"].Float32s()) != "[2 3 4]" {
		t.Error(out["y"].Float32s())
	}
}

// TestNoInputs runs a model that only has constants.
func TestNoInputs(t *testing.T) {
	s := open(t, model(node("Add", []string{"a", "a"}, []string{"y"}),
		initializer("a", onnx.FromSlice([]int64{4})), output("y", onnx.Int64, 1)))
	if out := run(t, s, nil); out["y"].Int64s()[0] != 8 {
		t.Error(out["y"].Int64s())
	}
}

// TestOverridable feeds an initializer that is an input as well.
func TestOverridable(t *testing.T) {
	s := open(t, model(node("Add", []string{"x", "a"}, []string{"y"}), initializer("a", onnx.FromSlice([]int64{4})),
		input("x", onnx.Int64, 1), input("a", onnx.Int64, 1), output("y", onnx.Int64, 1)))
	if len(s.Inputs()) != 1 {
		t.Error(s.Inputs())
	}
	x := onnx.FromSlice([]int64{1})
	if out := run(t, s, feeds{"x": x}); out["y"].Int64s()[0] != 5 {
		t.Error(out["y"].Int64s())
	}
	if out := run(t, s, feeds{"x": x, "a": x}); out["y"].Int64s()[0] != 2 {
		t.Error(out["y"].Int64s())
	}
}

// TestChosenOutputs leaves out what is not asked for.
func TestChosenOutputs(t *testing.T) {
	s := open(t, model(node("Neg", []string{"x"}, []string{"minus"}), node("Abs", []string{"x"}, []string{"size"}),
		input("x", onnx.Float, 1), output("minus", onnx.Float, 1), output("size", onnx.Float, 1)))
	x := onnx.FromSlice([]float32{-2})
	if out := run(t, s, feeds{"x": x}); len(out) != 2 {
		t.Error(out)
	}
	out := run(t, s, feeds{"x": x}, "size")
	if len(out) != 1 || out["size"].Float32s()[0] != 2 {
		t.Error(out)
	}
	_, err := s.Run(context.Background(), feeds{"x": x}, "size", "size")
	wantError(t, err, runtime.ErrFeed, "twice")
}
