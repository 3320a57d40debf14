package masking_test

import (
	"maps"
	"slices"
	"testing"

	"graft/graphs"
	"graft/masking"
	"graft/onnx"
	"graft/onnx/limits/limitstest"
	"graft/onnx/op"
)

// TestCompact holds hand-made graphs: what must go, what must stay. want are the dims of every initializer after.
func TestCompact(t *testing.T) {
	for name, c := range map[string]struct {
		build    func(n *net) *onnx.Model
		channels int64
		want     map[string][]int64
	}{
		"nothing dead": {func(n *net) *onnx.Model {
			return n.model(n.conv("b", n.Relu(n.conv("a", n.input(1, 2, 6, 6), 3, 3)), 2, 1))
		}, 0, map[string][]int64{"a.weight": {3, 2, 3, 3}, "a.bias": {3}, "b.weight": {2, 3, 1, 1}, "b.bias": {2}}},
		"nothing reads channel 1": {func(n *net) *onnx.Model {
			m := n.model(n.conv("b", n.LeakyRelu(n.norm("n", n.conv("a", n.input(2, 2, 6, 6), 3, 3)), 0.2), 2, 1))
			n.slice("b", 1)
			return m
		}, 3, map[string][]int64{"a.weight": {2, 2, 3, 3}, "a.bias": {2}, "n.weight": {2}, "n.bias": {2}, "b.weight": {2, 2, 1, 1}, "b.bias": {2}}},
		"scale zero is the shift": {func(n *net) *onnx.Model {
			m := n.model(n.conv("b", n.Sigmoid(n.norm("n", n.conv("a", n.input(2, 2, 6, 6), 3, 3))), 2, 1))
			n.clear("n.weight", 0, 2)
			return m
		}, 6, map[string][]int64{"a.weight": {1, 2, 3, 3}, "a.bias": {1}, "n.weight": {1}, "n.bias": {1}, "b.weight": {2, 1, 1, 1}, "b.bias": {2}}},
		"filter zero is the bias, folded past tanh": {func(n *net) *onnx.Model {
			m := n.model(n.conv("b", n.Tanh(n.conv("a", n.input(1, 2, 6, 6), 3, 3)), 2, 3))
			n.filter("a", 1)
			return m
		}, 2, map[string][]int64{"a.weight": {2, 2, 3, 3}, "a.bias": {2}, "b.weight": {2, 2, 3, 3}, "b.bias": {2}}},
		"zero padding shows a constant's edge": {func(n *net) *onnx.Model {
			m := n.model(n.conv("b", n.Sigmoid(n.conv("a", n.input(1, 2, 6, 6), 3, 3)), 2, 3, 1, 1, 1, 1))
			n.filter("a", 1)
			return m
		}, 0, map[string][]int64{"a.weight": {3, 2, 3, 3}, "a.bias": {3}, "b.weight": {2, 3, 3, 3}, "b.bias": {2}}},
		"zero padding around a zero": {func(n *net) *onnx.Model {
			m := n.model(n.conv("b", n.Relu(n.conv("a", n.input(1, 2, 6, 6), 3, 3)), 2, 3, 1, 1, 1, 1))
			n.filter("a", 1)
			n.clear("a.bias", 1)
			return m
		}, 2, map[string][]int64{"a.weight": {2, 2, 3, 3}, "a.bias": {2}, "b.weight": {2, 2, 3, 3}, "b.bias": {2}}},
		"a Pad of zeros shows the edge": {func(n *net) *onnx.Model {
			x := n.Pad(n.Sigmoid(n.conv("a", n.input(1, 2, 6, 6), 3, 3)), "constant", 0, 0, 1, 1, 0, 0, 1, 1)
			m := n.model(n.conv("b", x, 2, 3))
			n.filter("a", 1)
			return m
		}, 0, map[string][]int64{"a.weight": {3, 2, 3, 3}, "a.bias": {3}, "b.weight": {2, 3, 3, 3}, "b.bias": {2}}},
		"reflection does not": {func(n *net) *onnx.Model {
			x := n.Pad(n.Sigmoid(n.conv("a", n.input(1, 2, 6, 6), 3, 3)), "reflect", 0, 0, 1, 1, 0, 0, 1, 1)
			m := n.model(n.conv("b", x, 2, 3))
			n.filter("a", 1)
			return m
		}, 3, map[string][]int64{"a.weight": {2, 2, 3, 3}, "a.bias": {2}, "b.weight": {2, 2, 3, 3}, "b.bias": {2}}},
		"pools and upsampling": {func(n *net) *onnx.Model {
			halve := op.PoolAttrs{Kernel: []int64{2, 2}, Strides: []int64{2, 2}}
			x := n.UpsampleNearest(n.AveragePool(n.conv("a", n.input(1, 2, 10, 10), 4, 3), halve), 2)
			m := n.model(n.conv("b", n.UpsampleLinear(n.MaxPool(x, halve), 2), 2, 1))
			n.filter("a", 1)
			n.slice("b", 3)
			return m
		}, 10, map[string][]int64{"a.weight": {2, 2, 3, 3}, "a.bias": {2}, "b.weight": {2, 2, 1, 1}, "b.bias": {2}}},
		"averages that count zeros": {func(n *net) *onnx.Model {
			x := n.AveragePool(n.conv("a", n.input(1, 2, 6, 6), 2, 3), op.PoolAttrs{Kernel: []int64{2, 2}, Pads: []int64{1, 1, 1, 1}, CountIncludePad: true})
			m := n.model(n.conv("b", x, 2, 1))
			n.filter("a", 1)
			return m
		}, 0, map[string][]int64{"a.weight": {2, 2, 3, 3}, "a.bias": {2}, "b.weight": {2, 2, 1, 1}, "b.bias": {2}}},
		"a Conv without bias gets one": {func(n *net) *onnx.Model {
			x := n.Sigmoid(n.conv("a", n.input(1, 2, 6, 6), 3, 3))
			m := n.model(n.Conv(x, n.weight("b.weight", 2, 3, 1, 1), nil, op.ConvAttrs{}))
			n.filter("a", 0)
			return m
		}, 2, map[string][]int64{"a.weight": {2, 2, 3, 3}, "a.bias": {2}, "b.weight": {2, 2, 1, 1}, "b.weight.folded_bias": {2}}},
		"concatenation": {func(n *net) *onnx.Model {
			x := n.input(1, 2, 6, 6)
			m := n.model(n.conv("c", n.Relu(n.Concat(1, n.conv("a", x, 3, 3), n.conv("b", x, 2, 3))), 2, 1))
			n.slice("c", 0)
			n.slice("c", 4)
			return m
		}, 6, map[string][]int64{"a.weight": {2, 2, 3, 3}, "a.bias": {2}, "b.weight": {1, 2, 3, 3}, "b.bias": {1}, "c.weight": {2, 3, 1, 1}, "c.bias": {2}}},
		"concatenation of which one input is left": {func(n *net) *onnx.Model {
			x := n.input(1, 2, 6, 6)
			m := n.model(n.conv("c", n.Relu(n.Concat(1, n.conv("a", x, 3, 3), n.conv("b", x, 2, 3), n.conv("d", x, 1, 3))), 2, 1))
			for _, i := range []int64{0, 1, 2, 3, 5} {
				n.slice("c", i)
			}
			return m
		}, 13, map[string][]int64{"b.weight": {1, 2, 3, 3}, "b.bias": {1}, "c.weight": {2, 1, 1, 1}, "c.bias": {2}}},
		"one value joined to itself": {func(n *net) *onnx.Model {
			a := n.conv("a", n.input(1, 2, 6, 6), 3, 3)
			m := n.model(n.conv("c", n.Concat(1, a, a), 2, 1))
			n.slice("c", 0)
			n.slice("c", 3)
			n.slice("c", 1)
			return m
		}, 3, map[string][]int64{"a.weight": {2, 2, 3, 3}, "a.bias": {2}, "c.weight": {2, 4, 1, 1}, "c.bias": {2}}},
		"concatenation along the rows": {func(n *net) *onnx.Model {
			a := n.conv("a", n.input(1, 2, 6, 6), 3, 3)
			m := n.model(n.conv("c", n.Concat(2, a, a), 2, 1))
			n.slice("c", 0)
			return m
		}, 0, map[string][]int64{"a.weight": {3, 2, 3, 3}, "a.bias": {3}, "c.weight": {2, 3, 1, 1}, "c.bias": {2}}},
		"two readers": {func(n *net) *onnx.Model {
			a := n.Relu(n.conv("a", n.input(1, 2, 6, 6), 4, 3))
			m := n.model(n.conv("b", a, 2, 1), n.conv("c", a, 1, 1))
			n.slice("b", 0)
			n.slice("b", 1)
			n.slice("c", 1)
			n.slice("c", 2)
			return m
		}, 2, map[string][]int64{"a.weight": {3, 2, 3, 3}, "a.bias": {3}, "b.weight": {2, 3, 1, 1}, "b.bias": {2}, "c.weight": {1, 3, 1, 1}, "c.bias": {1}}},
		"one reader sees more than the activation behind": {func(n *net) *onnx.Model {
			a := n.conv("a", n.input(1, 2, 6, 6), 3, 3)
			m := n.model(n.conv("b", n.Relu(a), 2, 1), n.conv("c", a, 1, 1))
			n.slice("b", 0)
			n.slice("c", 1)
			return m
		}, 0, map[string][]int64{"a.weight": {3, 2, 3, 3}, "a.bias": {3}, "b.weight": {2, 3, 1, 1}, "b.bias": {2}, "c.weight": {1, 3, 1, 1}, "c.bias": {1}}},
		"a graph output in the middle": {func(n *net) *onnx.Model {
			a := n.conv("a", n.input(1, 2, 6, 6), 3, 3)
			m := n.model(n.conv("b", n.Relu(a), 2, 1), a)
			n.slice("b", 0)
			n.filter("a", 1)
			return m
		}, 0, map[string][]int64{"a.weight": {3, 2, 3, 3}, "a.bias": {3}, "b.weight": {2, 3, 1, 1}, "b.bias": {2}}},
		"an operator without a row": {func(n *net) *onnx.Model {
			a := n.conv("a", n.input(1, 2, 6, 6), 3, 3)
			m := n.model(n.conv("b", n.Softmax(a, 1), 2, 1))
			n.slice("b", 0)
			return m
		}, 0, map[string][]int64{"a.weight": {3, 2, 3, 3}, "a.bias": {3}, "b.weight": {2, 3, 1, 1}, "b.bias": {2}}},
		"a weight with two readers": {func(n *net) *onnx.Model {
			w := n.weight("w", 2, 2, 3, 3)
			x := n.Conv(n.Conv(n.input(1, 2, 8, 8), w, nil, op.ConvAttrs{}), w, nil, op.ConvAttrs{})
			m := n.model(n.conv("b", x, 2, 1))
			n.slice("b", 0)
			return m
		}, 0, map[string][]int64{"w": {2, 2, 3, 3}, "b.weight": {2, 2, 1, 1}, "b.bias": {2}}},
		"groups": {func(n *net) *onnx.Model {
			a := n.conv("a", n.input(1, 2, 6, 6), 4, 3)
			x := n.Conv(a, n.weight("g.weight", 4, 2, 1, 1), nil, op.ConvAttrs{Group: 2})
			m := n.model(n.conv("b", x, 2, 1))
			n.slice("b", 0)
			return m
		}, 0, map[string][]int64{"a.weight": {4, 2, 3, 3}, "a.bias": {4}, "g.weight": {4, 2, 1, 1}, "b.weight": {2, 4, 1, 1}, "b.bias": {2}}},
		"places of maxima": {func(n *net) *onnx.Model {
			y, at := n.MaxPoolIndices(n.conv("a", n.input(1, 2, 6, 6), 3, 3), op.PoolAttrs{Kernel: []int64{2, 2}})
			m := n.model(n.conv("b", y, 2, 1), n.Cast(at, onnx.Float))
			n.slice("b", 0)
			return m
		}, 0, map[string][]int64{"a.weight": {3, 2, 3, 3}, "a.bias": {3}, "b.weight": {2, 3, 1, 1}, "b.bias": {2}}},
		"a Resize that touches channels": {func(n *net) *onnx.Model {
			x := n.Resize(n.conv("a", n.input(1, 2, 6, 6), 2, 3), op.ResizeAttrs{Mode: "nearest", Coordinates: "asymmetric", NearestMode: "floor"}, 1, 2, 1, 1)
			m := n.model(n.conv("b", x, 2, 1))
			n.slice("b", 0)
			return m
		}, 0, map[string][]int64{"a.weight": {2, 2, 3, 3}, "a.bias": {2}, "b.weight": {2, 4, 1, 1}, "b.bias": {2}}},
		"a Pad of channels": {func(n *net) *onnx.Model {
			x := n.Pad(n.conv("a", n.input(1, 2, 6, 6), 2, 3), "constant", 0, 1, 0, 0, 0, 0, 0, 0)
			m := n.model(n.conv("b", x, 2, 1))
			n.slice("b", 0)
			return m
		}, 0, map[string][]int64{"a.weight": {2, 2, 3, 3}, "a.bias": {2}, "b.weight": {2, 3, 1, 1}, "b.bias": {2}}},
		"nothing is read at all": {func(n *net) *onnx.Model {
			a := n.Relu(n.norm("n", n.conv("a", n.input(1, 2, 6, 6), 3, 3)))
			m := n.model(n.conv("b", a, 2, 1))
			for i := range int64(3) {
				n.slice("b", i)
			}
			return m
		}, 6, map[string][]int64{"a.weight": {1, 2, 3, 3}, "a.bias": {1}, "n.weight": {1}, "n.bias": {1}, "b.weight": {2, 1, 1, 1}, "b.bias": {2}}},
		"a fixpoint over three layers": {func(n *net) *onnx.Model {
			x := n.LeakyRelu(n.norm("n1", n.conv("a", n.input(1, 2, 10, 10), 3, 3)), 0.2)
			x = n.LeakyRelu(n.norm("n2", n.conv("b", x, 3, 3)), 0.2)
			m := n.model(n.conv("c", x, 1, 1))
			n.clear("n1.weight", 0) // channel 0 of the first is a constant
			for _, i := range []int{1, 2} {
				n.filterSlice("b", 1, int64(i)) // so that channel 1 of the second is one
			}
			n.slice("c", 2) // and nothing reads channel 2
			return m
		}, 3 + 6, map[string][]int64{"a.weight": {2, 2, 3, 3}, "a.bias": {2}, "n1.weight": {2}, "n1.bias": {2},
			"b.weight": {1, 2, 3, 3}, "b.bias": {1}, "n2.weight": {1}, "n2.bias": {1}, "c.weight": {1, 1, 1, 1}, "c.bias": {1}}},
	} {
		t.Run(name, func(t *testing.T) {
			m, done := compacted(t, c.build(newNet(t)))
			got := parameters(m)
			for _, name := range slices.Sorted(maps.Keys(got)) {
				if !slices.Equal(got[name], c.want[name]) {
					t.Errorf("%s %v, want %v", name, got[name], c.want[name])
				}
			}
			if len(got) != len(c.want) || done.Channels != c.channels {
				t.Errorf("%d channels went, want %d; %d initializers are left, want %d", done.Channels, c.channels, len(got), len(c.want))
			}
			if c.channels > 0 && slices.ContainsFunc(m.Graph.Nodes(), func(n *onnx.Node) bool { return n.Is("Concat") && n.NumInputs() == 1 }) {
				t.Error("a concatenation of one input is left")
			}
		})
	}
}

// filterSlice clears what output channel o of a convolution takes from input channel i.
func (n *net) filterSlice(name string, o, i int64) {
	w := n.Graph().Lookup(name + ".weight").Const
	taps := w.Dims[2] * w.Dims[3]
	clear(w.Float32s()[(o*w.Dims[1]+i)*taps:][:taps])
}

// TestCompactCopiesNothing leaves the tensors of a network where they are when no channel goes: they may be gigabytes.
func TestCompactCopiesNothing(t *testing.T) {
	m, err := graphs.MLP{In: 300, Hidden: []int64{500, 400}, Classes: 10}.Build(1)
	if err != nil {
		t.Fatal(err)
	}
	before := map[string]*onnx.Tensor{}
	for _, v := range m.Graph.Initializers() {
		before[v.Name] = v.Const
	}
	allocated := limitstest.Allocated(func() {
		if _, err = masking.Compact(m.Graph); err != nil {
			t.Fatal(err)
		}
	})
	for _, v := range m.Graph.Initializers() {
		if before[v.Name] != v.Const && len(v.Const.Dims) > 1 {
			t.Errorf("%s was copied", v.Name)
		}
	}
	if allocated > 1<<20 {
		t.Errorf("%d bytes were allocated beside 1.4 million of weights", allocated)
	}
}

// A branch that reads a value from outside needs all of it.
func TestCompactBranches(t *testing.T) {
	n := newNet(t)
	a := n.conv("a", n.input(1, 2, 6, 6), 3, 3)
	branch := func(opType string) *onnx.Graph {
		g := onnx.NewGraph(opType)
		v := g.Add(opType, []*onnx.Value{a}, 1).Output(0)
		v.Type = a.Type
		g.AddOutput(v, opType+"_out")
		return g
	}
	choice := n.Node("If", []*onnx.Value{n.Const(onnx.FromSlice([]bool{true}, 1))}, 1,
		onnx.Attr{Name: "then_branch", Value: branch("Relu")}, onnx.Attr{Name: "else_branch", Value: branch("Neg")})[0]
	m := n.model(n.conv("b", choice, 2, 1), n.conv("c", a, 1, 1))
	n.slice("b", 1)
	n.slice("c", 1)
	_, done := compacted(t, m)
	if done.Channels != 0 {
		t.Errorf("%d channels went", done.Channels)
	}
}

// What a caller may override (an initializer that is an input too) is no constant.
func TestCompactOverridableInitializers(t *testing.T) {
	for list, channels := range map[string]int64{"(float[1,1,4,4] x, float[2,1,1,1] a)": 0, "(float[1,1,4,4] x)": 1} {
		m, err := onnx.Parse(`<ir_version: 8, opset_import: ["" : 17]>
g ` + list + ` => (float[1,1,4,4] y) <float[2,1,1,1] a = {0, 2}, float[1,2,1,1] b = {3, 4}> {
   h = Conv (x, a)
   y = Conv (h, b)
}`)
		if err != nil {
			t.Fatal(err)
		}
		if problems, _ := op.InferModel(m); len(problems) > 0 {
			t.Fatal(problems)
		}
		done, err := masking.Compact(m.Graph)
		if err != nil {
			t.Fatal(err)
		}
		if done.Channels != channels {
			t.Errorf("%s: %d channels went, want %d", list, done.Channels, channels)
		}
	}
}

// A file's types can claim anything.
func TestCompactClaims(t *testing.T) {
	for _, claim := range []string{"1099511627776", "9223372036854775807", "-4", "n", "0"} {
		m, err := onnx.Parse(`<ir_version: 8, opset_import: ["" : 17]>
g (float[1,` + claim + `,4,4] x) => (float[1,` + claim + `,4,4] y) <float[2,1,1,1] a = {0, 2}, float[1] s = {0}, float[4] p = {1, 1, 2, 2}, float[0,1,1,1] e = {}> {
   h = Relu (x)
   c = Concat <axis = 1> (h, x, h)
   i = InstanceNormalization (c, s, s)
   k = Conv (i, e)
   l = Pad (k)
   r = Resize (l, "", "", p)
   q = Resize (r)
   v = Concat <axis = -7> (q, h)
   y = Conv (v, a, a)
}`)
		if err != nil {
			continue // the reader has refused it
		}
		op.InferModel(m)
		for _, g := range masking.Groups(m.Graph, "x") {
			describe(g)
		}
		if _, err := masking.Compact(m.Graph); err != nil {
			t.Errorf("%s: %v", claim, err)
		}
	}
}

// Channels of other constants stay where zeros alone may go, and no weight that stays changes.
func TestCompactZeros(t *testing.T) {
	text := `<ir_version: 8, opset_import: ["" : 17]>
g (float[1,1,4,4] x) => (float[1,1,4,4] y) <float[3,1,1,1] a = {0, 2, 0}, float[3] c = {0, 0, 5}, float[1,3,1,1] b = {3, 4, 6}, float[1] d = {7}> {
   h = Conv (x, a, c)
   r = Relu (h)
   y = Conv (r, b, d)
}`
	for _, zeros := range []bool{false, true} {
		m, err := onnx.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if problems, _ := op.InferModel(m); len(problems) > 0 {
			t.Fatal(problems)
		}
		compact, want := masking.Compact, map[string][]float32{"a": {2}, "c": {0}, "b": {4}, "d": {37}}
		if zeros {
			compact, want = masking.CompactZeros, map[string][]float32{"a": {2, 0}, "c": {0, 5}, "b": {4, 6}, "d": {7}}
		}
		if _, err := compact(m.Graph); err != nil {
			t.Fatal(err)
		}
		for name, values := range want {
			if got := m.Graph.Lookup(name).Const.Float32s(); !slices.Equal(got, values) {
				t.Errorf("zeros %t: %s is %v, want %v", zeros, name, got, values)
			}
		}
	}
}
