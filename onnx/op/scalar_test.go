package op

import (
	"encoding/binary"
	"math"
	"testing"

	"graft/onnx"
)

func TestScalarTensor(t *testing.T) {
	for _, c := range []struct {
		d    onnx.DataType
		v    float64
		want uint64 // the element's bits; ^0: refused
	}{
		{onnx.Float, 0.5, 0x3f000000},
		{onnx.Double, -2, 0xc000000000000000},
		{onnx.Int64, -3, 0xfffffffffffffffd},
		{onnx.Int8, -128, 0x80},
		{onnx.Int8, 128, ^uint64(0)},
		{onnx.Uint8, -1, ^uint64(0)},
		{onnx.Uint64, 1 << 63, 1 << 63},
		{onnx.Int64, 1 << 63, ^uint64(0)},
		{onnx.Int32, 0.5, ^uint64(0)},
		{onnx.Int32, math.NaN(), ^uint64(0)},
		{onnx.Bool, 1, 1},
		{onnx.Bool, 2, ^uint64(0)},
		{onnx.String, 1, ^uint64(0)},
		{onnx.Undefined, 1, ^uint64(0)},
		{onnx.Float16, 1, 0x3c00},
		{onnx.Float16, -0.1, 0xae66},
		{onnx.Float16, 65504, 0x7bff},
		{onnx.Float16, 65519.99, 0x7bff},
		{onnx.Float16, 65520, 0x7c00},
		{onnx.Float16, math.Ldexp(1, -24), 0x0001},
		{onnx.Float16, math.Ldexp(1, -25), 0x0000},         // halfway to the smallest: even is zero
		{onnx.Float16, math.Ldexp(3, -25), 0x0002},         // halfway: even is two
		{onnx.Float16, math.Ldexp(1023.75, -24), 0x0400},   // rounds up into the normal numbers
		{onnx.Float16, 1 + 1.0/2048, 0x3c00},               // ties to even
		{onnx.Float16, 1 + 1.0/2048 + 1.0/(1<<30), 0x3c01}, // just above the tie
		{onnx.Float16, math.Inf(-1), 0xfc00},
		{onnx.Float16, math.NaN(), 0x7e00},
		{onnx.BFloat16, 1, 0x3f80},
		{onnx.BFloat16, 1e-5, 0x3728},
		{onnx.BFloat16, math.Copysign(0, -1), 0x8000},
		{onnx.BFloat16, 1e39, 0x7f80},
	} {
		got, err := ScalarTensor(c.d, c.v)
		if c.want == ^uint64(0) {
			if err == nil {
				t.Errorf("%v %v: not refused", c.d, c.v)
			}
			continue
		}
		if err != nil {
			t.Errorf("%v %v: %v", c.d, c.v, err)
			continue
		}
		var buf [8]byte
		copy(buf[:], got.Data)
		if bits := binary.LittleEndian.Uint64(buf[:]); bits != c.want || len(got.Dims) != 0 || got.Check() != nil {
			t.Errorf("%v %v: bits %#x, want %#x", c.d, c.v, bits, c.want)
		}
	}
}
