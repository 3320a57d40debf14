package onnxtest_test

import (
	"math"
	"strings"
	"testing"

	"graft/onnx"
	"graft/onnx/onnxtest"
)

func TestCompare(t *testing.T) {
	f := func(v ...float32) *onnx.Tensor { return onnx.FromSlice(v) }
	half := func(bits ...uint16) *onnx.Tensor {
		h := onnx.NewTensor(onnx.Float16, int64(len(bits)))
		copy(onnx.View[uint16](h), bits)
		return h
	}
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, c := range []struct {
		got, want *onnx.Tensor
		err       string
	}{
		{f(1, nan, inf), f(1, nan, inf), ""},
		{f(1.01), f(1), ""},
		{f(1.2), f(1), "1.2"},
		{f(nan), f(1), "NaN"},
		{f(1), f(nan), "NaN"},
		{f(inf), f(1), "Inf"},
		{f(1, 2, 5), f(1, 2, 3), "[2]"},
		{f(1, 2), f(1), "is float"},
		{f(1), onnx.FromSlice([]int32{1}), "is float"},
		{onnx.FromSlice([]int64{1 << 60}), onnx.FromSlice([]int64{1<<60 + 1}), "differs"},
		{half(0x3c00, 0x0001), half(0x3c00, 0x0001), ""},
		{half(0x3c00), half(0xbc00), "want -1"},
		{nil, f(1), "nil"},
	} {
		err := onnxtest.Compare(c.got, c.want, 0.01, 0.01)
		if c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
			t.Errorf("%v and %v: %v, want %q", c.got, c.want, err, c.err)
		}
	}
}

func TestGoldenText(t *testing.T) {
	onnxtest.Golden(t, "testdata/*.txtar", func(m *onnx.Model) (string, error) {
		m.Graph.RemoveUnused()
		return m.Text(), nil
	})
}

// TestNodeCases reads the recorded data of every node test that works on tensors and sends it through the encoder.
func TestNodeCases(t *testing.T) {
	read, other := 0, 0
	for _, c := range onnxtest.NodeCases(t) {
		m, err := c.Model()
		if err != nil {
			t.Errorf("%s: %v", c.Name, err)
			continue
		}
		plain := true
		for _, v := range append(m.Graph.Inputs(), m.Graph.Outputs()...) {
			plain = plain && v.IsTensor()
		}
		if !plain {
			other++
			continue
		}
		in, out, err := c.Tensors()
		if err != nil {
			t.Errorf("%s: %v", c.Name, err)
			continue
		}
		if len(out) == 0 {
			t.Errorf("%s: no outputs", c.Name)
		}
		for _, x := range append(in, out...) {
			data, err := onnx.EncodeTensor(x)
			if err != nil {
				t.Fatalf("%s: %v", c.Name, err)
			}
			again, err := onnx.DecodeTensor(data)
			if err != nil {
				t.Fatalf("%s: %v", c.Name, err)
			}
			onnxtest.Close(t, again, x, 0, 0)
		}
		read++
	}
	t.Logf("%d cases read, %d with sequences or optionals", read, other)
}
