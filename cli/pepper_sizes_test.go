package cli

import (
	"bytes"
	"math"
	"testing"

	"graft/export"
	"graft/export/packed"
	"graft/graphs"
	"graft/masking"
	"graft/onnx"
	"graft/onnx/op"
	"graft/runtime/runtimetest"
	"graft/training/oes"
)

// TestPublishedSizes holds the files of the authors' mask for the photo of peppers, each as a whole, to parts of the file of the
// network without a mask, and what they draw to each other. Packed files come back to the bit, or rounded within 1e-3 of the
// largest value. entropy is what places take at least when every weight of a tensor is kept by one chance.
func TestPublishedSizes(t *testing.T) {
	mask := sharedData(t, "denoiser/oes_mask_pepper.pkl")
	m, err := graphs.Hourglass{Height: 192, Width: 192}.Build(1)
	if err != nil {
		t.Fatal(err)
	}
	set, err := loadMask(mask, m.Graph)
	if err != nil {
		t.Fatal(err)
	}
	generator := export.Deployment{Z: export.ZGenerate, Key: oes.ZKey(1), Scale: oes.ZScale}
	deployed := func(m *onnx.Model, compact, sparse bool) *onnx.Model {
		t.Helper()
		d := generator
		d.Compact, d.Sparse = compact, sparse
		done, err := d.Apply(m)
		if err != nil {
			t.Fatal(err)
		}
		return done.Model
	}
	size := func(m *onnx.Model) int {
		t.Helper()
		data, err := encodeModel(m, "")
		if err != nil {
			t.Fatal(err)
		}
		return len(data)
	}
	dense := size(deployed(m, false, false))
	if err := masking.Apply(m.Graph, set); err != nil {
		t.Fatal(err)
	}
	compact, sparse := deployed(m, true, false), deployed(m, true, true)
	holds := func(what string, bytes int, least float64) {
		t.Helper()
		ratio := float64(dense) / float64(bytes)
		t.Logf("%-28s %9d bytes, 1/%.2f", what, bytes, ratio)
		if ratio < least {
			t.Errorf("%s is 1/%.2f of %d bytes, at most 1/%g is asked for", what, ratio, dense, least)
		}
	}
	pack := func(c packed.Config) (int, *onnx.Model) {
		t.Helper()
		data, back, err := packAndUnpack(compact, c)
		if err != nil {
			t.Fatal(err)
		}
		op.InferModel(back)
		return len(data), back
	}
	bytes32, exact := pack(packed.Config{})
	t.Logf("%-28s %9d bytes; %d parameters, %d kept", "without a mask", dense, set.Total(), set.Kept())
	holds("compacted", size(compact), 2.4)
	holds("compacted, sparse_initializer", size(sparse), 6.5)
	holds("packed", bytes32, 14)
	t.Logf("values and the entropy of places take %.0f bytes", bound(compact))
	same(t, compact, exact)

	options := runtimetest.Options(t)
	for what, made := range map[string]*onnx.Model{"sparse": sparse, "unpacked": exact} {
		diff, err := export.Verify(t.Context(), compact, made, nil, export.Tolerance{Absolute: 1e-6}, options)
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
		t.Logf("%s: differs by at most %.3g", what, diff)
	}
	c := &call{ctx: t.Context()}
	half := packed.Config{Values: onnx.Float16}
	relative, absolute, err := c.fewestExact("peppers", compact, &half, []map[string]*onnx.Tensor{{}}, packedTolerance, options)
	if err != nil {
		t.Fatal(err)
	}
	bytes16, _ := pack(half)
	holds("packed, float16", bytes16, 20)
	t.Logf("differs by at most %.3g, %.3g of the largest value; %d weights stay in float32", absolute, relative, len(half.Exact))
	if !(absolute <= 1e-3) {
		t.Errorf("float16 differs by %.3g", absolute)
	}
	bytes8, rounded := pack(packed.Config{Values: onnx.Int8})
	holds("packed, int8", bytes8, 20)
	if _, absolute, err = export.LargestDifference(t.Context(), compact, rounded, []map[string]*onnx.Tensor{{}}, options); err != nil {
		t.Fatal(err)
	}
	t.Logf("differs by at most %.3g", absolute)
}

// bound is what values of four bytes and the entropy of their places take.
func bound(m *onnx.Model) (bytes float64) {
	for _, v := range m.Graph.Initializers() {
		if v.Const.DType != onnx.Float || v.Const.Len() == 0 {
			continue
		}
		n, kept := float64(v.Const.Len()), 0.0
		for _, x := range v.Const.Float32s() {
			if x != 0 {
				kept++
			}
		}
		bytes += 4 * kept
		if p := kept / n; p > 0 && p < 1 {
			bytes -= n * (p*math.Log2(p) + (1-p)*math.Log2(1-p)) / 8
		}
	}
	return bytes
}

// same holds every initializer of one model to that of another, to the bit.
func same(t *testing.T, want, got *onnx.Model) {
	t.Helper()
	a, b := want.Graph.Initializers(), got.Graph.Initializers()
	if len(a) != len(b) {
		t.Fatalf("%d initializers, want %d", len(b), len(a))
	}
	for i, v := range a {
		if b[i].Name != v.Name || !bytes.Equal(b[i].Const.Data, v.Const.Data) {
			t.Errorf("%s came back as another", v.Name)
		}
	}
}
