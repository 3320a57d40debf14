package masking_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"graft/graphs"
	"graft/masking"
	"graft/onnx"
	"graft/onnx/op"
)

// describe is a group in one line: its count, and for each member parameter, axis, role and the positions of channel 0.
func describe(g *masking.Group) string {
	s := fmt.Sprintf("%s x%d:", g.Name, g.Count)
	for _, m := range g.Members {
		s += fmt.Sprintf(" %s/%d%s%v", m.Parameter, m.Axis, []string{"f", "b", "s", "t", "r"}[m.Role], m.At[0])
	}
	if len(g.Inputs) > 0 {
		s += " of " + strings.Join(g.Inputs, ",")
	}
	return s
}

// TestGroups holds one graph for each rule.
func TestGroups(t *testing.T) {
	for name, c := range map[string]struct {
		build  func(n *net) *onnx.Value
		inputs []string
		want   []string
	}{
		"product": {func(n *net) *onnx.Value { return n.conv("b", n.Relu(n.conv("a", n.input(1, 2, 6, 6), 3, 3)), 2, 1) }, nil,
			[]string{"a.weight x3: a.weight/0f[0] a.bias/0b[0] b.weight/1r[0]"}},
		"input": {func(n *net) *onnx.Value { return n.conv("a", n.input(1, 2, 6, 6), 3, 3) }, []string{"x"},
			[]string{"x x2: a.weight/1r[0] of x"}},
		"norm": {func(n *net) *onnx.Value {
			return n.conv("b", n.batchNorm("n", n.conv("a", n.input(1, 2, 6, 6), 3, 3)), 2, 1)
		}, nil, []string{"a.weight x3: a.weight/0f[0] a.bias/0b[0] n.weight/0s[0] n.bias/0t[0] b.weight/1r[0]"}},
		"sum of two": {func(n *net) *onnx.Value {
			x := n.conv("a", n.input(1, 2, 6, 6), 3, 1)
			return n.conv("c", n.Add(x, n.conv("b", x, 3, 1)), 2, 1)
		}, nil, []string{"a.weight x3: a.weight/0f[0] a.bias/0b[0] b.weight/0f[0] b.weight/1r[0] b.bias/0b[0] c.weight/1r[0]"}},
		"sum with the input": {func(n *net) *onnx.Value {
			x := n.input(1, 3, 6, 6)
			return n.conv("c", n.Add(x, n.conv("b", x, 3, 1)), 2, 1)
		}, nil, nil},
		"constants of channels": {func(n *net) *onnx.Value {
			x := n.Mul(n.Add(n.conv("a", n.input(1, 2, 6, 6), 3, 3), n.weight("plus", 3, 1, 1)), n.weight("times", 1, 3, 1, 1))
			return n.conv("b", n.Div(x, n.weight("by", 3, 1, 1)), 2, 1)
		}, nil, []string{"a.weight x3: a.weight/0f[0] a.bias/0b[0] plus/0t[0] times/1s[0] b.weight/1r[0]"}},
		"concatenation": {func(n *net) *onnx.Value {
			x := n.input(1, 2, 6, 6)
			return n.conv("c", n.norm("n", n.Concat(1, n.conv("a", x, 3, 1), n.conv("b", x, 2, 1))), 2, 1)
		}, nil, []string{"a.weight x3: a.weight/0f[0] a.bias/0b[0] n.weight/0s[0] n.bias/0t[0] c.weight/1r[0]",
			"b.weight x2: b.weight/0f[0] b.bias/0b[0] n.weight/0s[3] n.bias/0t[3] c.weight/1r[3]"}},
		"one value joined to itself": {func(n *net) *onnx.Value {
			a := n.conv("a", n.input(1, 2, 6, 6), 3, 1)
			return n.conv("c", n.Concat(1, a, a), 2, 1)
		}, nil, []string{"a.weight x3: a.weight/0f[0] a.bias/0b[0] c.weight/1r[0 3]"}},
		"concatenation along the rows": {func(n *net) *onnx.Value {
			a := n.conv("a", n.input(1, 2, 6, 6), 3, 1)
			return n.conv("c", n.Concat(2, a, a), 2, 1)
		}, nil, nil},
		"depthwise": {func(n *net) *onnx.Value {
			return n.conv("b", n.bare("d", n.conv("a", n.input(1, 2, 6, 6), 4, 1), 4, 3, 4), 2, 1)
		}, nil, []string{"a.weight x4: a.weight/0f[0] a.bias/0b[0] d.weight/0f[0] b.weight/1r[0]"}},
		"groups": {func(n *net) *onnx.Value {
			return n.conv("b", n.bare("d", n.conv("a", n.input(1, 2, 6, 6), 4, 1), 6, 3, 2), 2, 1)
		}, nil, []string{"a.weight x2: a.weight/0f[0 2] a.bias/0b[0 2] d.weight/1r[0]", "d.weight x3: d.weight/0f[0 3] b.weight/1r[0 3]"}},
		"groups of one input": {func(n *net) *onnx.Value {
			return n.conv("b", n.bare("d", n.conv("a", n.input(1, 2, 6, 6), 3, 1), 6, 3, 3), 2, 1)
		}, nil, []string{"a.weight x3: a.weight/0f[0] a.bias/0b[0] d.weight/0f[0 1] b.weight/1r[0 1]"}},
		"flatten": {func(n *net) *onnx.Value {
			return n.Gemm(n.Flatten(n.conv("a", n.input(1, 2, 4, 4), 3, 3), 1), n.weight("w", 12, 5), n.weight("c", 5), op.GemmAttrs{})
		}, nil, []string{"a.weight x3: a.weight/0f[0] a.bias/0b[0] w/0r[0 1 2 3]"}},
		"heads": {transformer, []string{"x"}, []string{
			"q.weight x3: q.weight/1f[0 1 2 3] q.bias/0t[0 1 2 3] k.weight/1f[0 1 2 3] k.bias/0t[0 1 2 3] v.weight/1f[0 1 2 3] v.bias/0t[0 1 2 3] out.weight/0r[0 1 2 3]",
			"up.weight x20: up.weight/1f[0] up.bias/0t[0] both.bias/0t[0] down.weight/0r[0]",
			"side.weight x2: side.weight/1f[0] side.bias/0t[0] both.bias/0t[20] down.weight/0r[20]"}},
		"an operator without a rule": {func(n *net) *onnx.Value {
			return n.conv("b", n.Softmax(n.conv("a", n.input(1, 2, 6, 6), 3, 3), 1), 2, 1)
		}, nil, nil},
		"a weight with two readers": {func(n *net) *onnx.Value {
			w := n.weight("w", 2, 2, 3, 3)
			return n.conv("b", n.Conv(n.Conv(n.input(1, 2, 8, 8), w, nil, op.ConvAttrs{}), w, nil, op.ConvAttrs{}), 2, 1)
		}, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			n := newNet(t)
			m := n.model(c.build(n))
			var got []string
			for _, g := range masking.Groups(m.Graph, c.inputs...) {
				got = append(got, describe(g))
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
		})
	}
}

// channelNetworks are networks of every family, none of whose weights is zero.
var channelNetworks = map[string]graphs.Network{
	"hourglass":   graphs.Hourglass{Channels: []int64{4, 6}, DownKernel: 3, In: 5, Height: 16, Width: 16},
	"skip":        graphs.Skip{Channels: []int64{4, 5}, Bypass: []int64{2, 0}, In: 3, Height: 16, Width: 16},
	"unet":        graphs.UNet{Channels: []int64{3, 4, 5}, In: 3, Height: 16, Width: 16},
	"deepdecoder": graphs.DeepDecoder{Channels: 5, Layers: 3, Height: 16, Width: 16},
	"resnet":      graphs.ResNet{Widths: []int64{4, 6}, Blocks: 1, Classes: 3, Height: 16, Width: 16},
	"mlp":         graphs.MLP{In: 20, Hidden: []int64{12, 9}, Classes: 4},
	"mobile":      imported(mobile),
	"digits":      imported(digits),
	"transposed":  imported(transposed),
	"resnext":     imported(resnext),
	"transformer": imported(transformer),
}

// transformer is a block of attention with three heads of four numbers, and a layer behind it.
func transformer(n *net) *onnx.Value {
	x := n.input(2, 5, 12)
	linear := func(name string, x *onnx.Value, in, out int64) *onnx.Value {
		return n.Add(n.MatMul(x, n.weight(name+".weight", in, out)), n.weight(name+".bias", out))
	}
	heads := func(name string, order ...int64) *onnx.Value {
		return n.Transpose(n.Reshape(linear(name, x, 12, 12), 0, 0, 3, 4), order...)
	}
	scores := n.Mul(n.MatMul(heads("q", 0, 2, 1, 3), heads("k", 0, 2, 3, 1)), n.Const(onnx.Scalar(float32(0.5))))
	scores = n.Add(scores, n.weight("distance", 1, 1, 5, 5))
	y := n.Transpose(n.MatMul(n.Softmax(scores, -1), heads("v", 0, 2, 1, 3)), 0, 2, 1, 3)
	x = n.Add(x, linear("out", n.Reshape(y, 0, 0, 12), 12, 12))
	x = n.Node("LayerNormalization", []*onnx.Value{x, n.weight("ln.weight", 12), n.weight("ln.bias", 12)}, 1)[0]
	h := n.Add(n.Concat(2, linear("up", x, 12, 20), linear("side", x, 12, 2)), n.weight("both.bias", 22))
	gate := n.Add(n.Node("Erf", []*onnx.Value{n.Div(h, n.Const(onnx.Scalar(float32(1.4142135))))}, 1)[0], n.Const(onnx.Scalar(float32(1))))
	return n.Add(x, linear("down", n.Mul(h, gate), 22, 12))
}

// resnext has convolutions in groups, one of them with several filters for every channel.
func resnext(n *net) *onnx.Value {
	x := n.Relu(n.batchNorm("stem.bn", n.bare("stem", n.input(2, 3, 8, 8), 6, 3, 1)))
	y := n.Relu(n.batchNorm("in.bn", n.bare("in", x, 8, 1, 1)))
	y = n.Relu(n.batchNorm("grouped.bn", n.bare("grouped", y, 12, 3, 2)))
	y = n.batchNorm("out.bn", n.bare("out", y, 6, 1, 1))
	x = n.Relu(n.Add(x, y))
	x = n.Tanh(n.Conv(x, n.weight("multi.weight", 12, 1, 3, 3), n.weight("multi.bias", 12), op.ConvAttrs{Group: 6}))
	return n.Gemm(n.Flatten(n.GlobalAveragePool(x), 1), n.weight("fc.weight", 12, 4), n.weight("fc.bias", 4), op.GemmAttrs{})
}

// TestChannelMasks takes channels away from every network at random: what Compact leaves draws what the masked network draws, and
// has exactly the channels that were kept.
func TestChannelMasks(t *testing.T) {
	for name, network := range channelNetworks {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(3) {
				m, err := network.Build(seed)
				if err != nil {
					t.Fatal(err)
				}
				if problems, _ := op.InferModel(m); len(problems) > 0 {
					t.Fatal(problems)
				}
				for _, v := range m.Graph.Initializers() {
					nonZero(v, seed)
				}
				groups := masking.Groups(m.Graph)
				if len(groups) == 0 {
					t.Fatal("no group")
				}
				choice := masking.ChannelChoice{Sparsity: 0.2 + 0.2*float64(seed), Multiple: 1, Seed: seed}
				if seed%2 == 1 {
					choice.Scope = masking.Global
				}
				score, err := masking.FindChannelScore("random-channel")
				if err != nil {
					t.Fatal(err)
				}
				set, err := masking.ChooseChannels(groups, masking.Weights(masking.Parameters(m.Graph), seed), score, choice)
				if err != nil {
					t.Fatal(err)
				}
				want := keptDims(m, groups, set)
				if err := masking.Apply(m.Graph, set); err != nil {
					t.Fatal(err)
				}
				out, done := compacted(t, m)
				if done.Channels == 0 {
					t.Error("no channel went")
				}
				got := parameters(out)
				for _, name := range slices.Sorted(maps.Keys(want)) {
					if !slices.Equal(got[name], want[name]) {
						t.Errorf("seed %d: %s is %v, want %v", seed, name, got[name], want[name])
					}
				}
			}
		})
	}
}

// nonZero moves weights away from zero, variances above it.
func nonZero(v *onnx.Value, seed uint64) {
	t := v.Const.Clone()
	if t.DType != onnx.Float {
		return
	}
	for i, x := range t.Float32s() {
		t.Float32s()[i] = x + 0.01*float32(1+(uint64(i)+seed)%7)
	}
	if u := v.Uses()[0]; u.Node.Is("BatchNormalization") && u.Index == 4 {
		for i, x := range t.Float32s() {
			t.Float32s()[i] = 0.5 + x*x
		}
	}
	v.Const = t
}

// keptDims is what members' shapes must be when exactly the masked channels have gone.
func keptDims(m *onnx.Model, groups []*masking.Group, set *masking.Set) map[string][]int64 {
	want := map[string][]int64{}
	for _, g := range groups {
		for _, member := range g.Members {
			if want[member.Parameter] == nil {
				want[member.Parameter] = slices.Clone(member.Dims)
			}
			keep := set.Get(member.Parameter).Keep
			for c := range g.Count {
				gone := true
				member.Elements(c, func(i int) { gone = gone && !keep[i] })
				if gone {
					want[member.Parameter][member.Axis] -= int64(len(member.At[c]))
				}
			}
		}
	}
	return want
}

// Graphs that claim what is not so have fewer groups, and nothing worse.
func TestGroupsClaims(t *testing.T) {
	read, found := 0, 0
	for _, body := range []string{
		`y = Conv <group = 0> (x, a)`, `y = Conv <group = -3> (x, a)`, `y = Conv <group = 4611686018427387904> (x, a)`, `y = Conv <group = 2> (x, e)`,
		`y = Conv <group = 2> (x, s)`, `y = Conv (x, s)`, `y = Conv (x)`, `y = Conv ()`, `y = Gemm (x, a)`, `y = Gemm (s, s, s)`, `y = MatMul (x, x)`,
		`y = Concat <axis = 9> (x, x)`, `y = Concat <axis = -9> (x, x)`, `y = Concat <axis = 1> ()`, `y = Flatten <axis = 77> (x)`, `y = Flatten (s)`,
		`y = Reshape (x)`, `y = Reshape (x, s)`, `y = Squeeze (x)`, `y = Add (x)`, `y = Add ()`, `y = Sum ()`, `y = Sum (x, "", x)`, `y = Max (s, s)`,
		`y = PRelu (x, a)`, `y = BatchNormalization (x, s, s, s, s)`, `y = InstanceNormalization (s, s, s)`, `y = InstanceNormalization ("", s, s)`,
		`y = Pad (x, "")`, `y = Resize (x)`, `y = ReduceMean (s)`, `y = Dropout (x)`, `y = Softmax (x)`, `y = Relu ()`, `y = Mul (x, x)`,
	} {
		for _, claim := range []string{"float[1,4,6,6]", "float", "float[]", "float[1]", "float[1,n,6,6]", "float[1,0,6,6]", "int64[1,4,6,6]", "float[1,9223372036854775807]"} {
			m, err := onnx.Parse(`<ir_version: 8, opset_import: ["" : 17]>
g (` + claim + ` x) => (` + claim + ` z) <float[4,2,1,1] a = {0, 2, 1, 3, 4, 5, 6, 7}, float s = {0}, float[0,1,1,1] e = {}> {
   ` + body + `
   z = Relu (y)
}`)
			if err != nil {
				continue // the reader has refused it
			}
			op.InferModel(m)
			m.Graph.Lookup("y").Type = m.Graph.Lookup("x").Type // inference may have said less
			groups := masking.Groups(m.Graph, "x")
			read, found = read+1, found+len(groups)
			for _, g := range groups {
				describe(g)
			}
			score, _ := masking.FindChannelScore("l1-norm")
			masking.ChooseChannels(groups, masking.Weights(masking.Parameters(m.Graph), 1), score, masking.ChannelChoice{Sparsity: 0.5})
			masking.CompactInputs(m.Graph, "x")
		}
	}
	if read < 100 || found == 0 {
		t.Errorf("%d graphs were read, with %d groups", read, found)
	}
}
