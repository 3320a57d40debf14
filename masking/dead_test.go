package masking

import (
	"slices"
	"testing"

	"graft/onnx"
	"graft/onnx/onnxtest"
	"graft/onnx/op"
)

// chain is three convolutions behind each other, with a residual around the second, a norm and a product; weights named in zero
// are zero at the places given, all of them where no place is.
func chain(t *testing.T, zero map[string][]int) *onnx.Graph {
	m := onnxtest.Parse(t, `<ir_version: 8, opset_import: ["" : 17]>
chain (float[1,2,4,4] x) => (float[1,3] y) <float[2,2,1,1] one = {1,2,3,4}, float[2] bias = {5,6}, float[2] scale = {1,2}, float[2] shift = {0,1},
       float[2,2,1,1] two = {1,2,3,4}, float[2,2,1,1] three = {1,2,3,4}, float[2,3] head = {1,2,3,4,5,6}> {
	a = Conv(x, one, bias)
	n = InstanceNormalization(a, scale, shift)
	r = Relu(n)
	b = Conv(r, two)
	s = Add(r, b)
	c = Conv<pads = [1,1,1,1]>(s, three)
	p = GlobalAveragePool(c)
	f = Flatten(p)
	y = MatMul(f, head)
}`)
	for name, places := range zero {
		v := m.Graph.Lookup(name)
		w := v.Const.Clone()
		for i := range w.Float32s() {
			if places == nil || slices.Contains(places, i) {
				w.Float32s()[i] = 0
			}
		}
		v.Const = w
	}
	op.InferModel(m)
	return m.Graph
}

func TestFlow(t *testing.T) {
	all := []string{"one", "scale", "two", "three", "head"}
	for _, c := range []struct {
		what        string
		zero        map[string][]int
		dead, empty []string
		cut         bool
	}{
		{"nothing", nil, nil, nil, false},
		{"a bias", map[string][]int{"bias": nil, "shift": nil}, nil, nil, false},
		{"a branch beside which there is a way", map[string][]int{"two": nil}, []string{"two"}, []string{"two"}, false},
		{"the first", map[string][]int{"one": nil}, all, []string{"one"}, true},
		{"a norm", map[string][]int{"scale": nil}, all, []string{"scale"}, true},
		{"the last", map[string][]int{"head": nil}, all, []string{"head"}, true},
		// Channel 0 is fed alone and channel 1 is read alone.
		{"channels that do not meet", map[string][]int{"one": {2, 3}, "two": nil, "three": {0, 2}}, all, []string{"two"}, true},
		{"channels that meet", map[string][]int{"one": {2, 3}, "three": {1, 3}}, nil, nil, false},
		{"a norm that meets nothing", map[string][]int{"scale": {1}, "two": nil, "three": {0, 2}}, all, []string{"two"}, true},
	} {
		got := FlowOf(chain(t, c.zero))
		if !slices.Equal(got.Dead, c.dead) || !slices.Equal(got.Empty, c.empty) || got.Cut != c.cut {
			t.Errorf("%s: %+v, want %v, %v, %t", c.what, got, c.dead, c.empty, c.cut)
		}
	}
}

// TestFlowWithoutChannels: where no channel is known, nodes are followed.
func TestFlowWithoutChannels(t *testing.T) {
	m := onnxtest.Parse(t, `<ir_version: 8, opset_import: ["" : 17]>
free (float[A,B,2] x) => (float[A,B,2] y) <float[2,2] one = {0,0,0,0}, float[2,2] two = {1,2,3,4}, float[2] scale = {1,1}> {
	a = MatMul(x, one)
	l = LayerNormalization(a, scale)
	b = Sin(l)
	y = MatMul(b, two)
}`)
	op.InferModel(m)
	if got := FlowOf(m.Graph); !slices.Equal(got.Dead, []string{"one", "scale", "two"}) || !got.Cut {
		t.Errorf("%+v", got)
	}
}
