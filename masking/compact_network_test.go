package masking_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"graft/onnx"
	"graft/onnx/op"
)

// TestCompactNetworks masks small networks of every family at random and compacts them.
func TestCompactNetworks(t *testing.T) {
	for name, network := range channelNetworks {
		t.Run(name, func(t *testing.T) {
			removed := int64(0)
			for seed := range uint64(12) {
				t.Run(fmt.Sprint(seed), func(t *testing.T) {
					m, err := network.Build(seed)
					if err != nil {
						t.Fatal(err)
					}
					randomize(m.Graph, rand.New(rand.NewPCG(seed, 7)))
					_, done := compacted(t, m)
					removed += done.Channels
				})
			}
			if removed == 0 {
				t.Error("no channel went from any network")
			}
		})
	}
}

// imported are networks as files of others have them.
type imported func(n *net) *onnx.Value

func (f imported) Build(seed uint64) (*onnx.Model, error) {
	n := &net{op.NewBuilder(onnx.NewGraph("imported")), nil}
	n.Graph().AddOutput(f(n), "")
	n.Graph().AssignNames()
	return &onnx.Model{IRVersion: 8, Opsets: []onnx.Opset{{Version: op.Opset}}, Graph: n.Graph()}, n.Err()
}

// bare is a convolution or product's weight alone.
func (n *net) bare(name string, x *onnx.Value, out, kernel, group int64) *onnx.Value {
	return n.Conv(x, n.weight(name+".weight", out, x.Type.Shape[1].Size/group, kernel, kernel), nil, op.ConvAttrs{Group: group, Pads: []int64{kernel / 2, kernel / 2, kernel / 2, kernel / 2}})
}

func (n *net) batchNorm(name string, x *onnx.Value) *onnx.Value {
	c := x.Type.Shape[1].Size
	return n.BatchNormalization(x, n.weight(name+".weight", c), n.weight(name+".bias", c), n.weight(name+".mean", c), n.weight(name+".var", c), 1e-3)
}

// mobile has depthwise convolutions, a residual sum, and channels that are weighed by their means.
func mobile(n *net) *onnx.Value {
	x := n.Relu(n.batchNorm("stem.bn", n.bare("stem", n.input(2, 3, 10, 10), 8, 3, 1)))
	y := n.Node("HardSwish", []*onnx.Value{n.batchNorm("deep.bn", n.bare("deep", x, 8, 3, 8))}, 1)[0]
	y = n.batchNorm("point.bn", n.bare("point", y, 8, 1, 1))
	w := n.Relu(n.conv("squeeze", n.GlobalAveragePool(y), 4, 1))
	w = n.Node("HardSigmoid", []*onnx.Value{n.conv("excite", w, 8, 1)}, 1)[0]
	x = n.Add(x, n.Mul(y, w))
	x = n.Relu(n.Add(n.bare("tail", x, 10, 3, 1), n.weight("tail.bias", 10, 1, 1)))
	x = n.Clip(x, n.Const(onnx.Scalar(float32(0))), n.Const(onnx.Scalar(float32(6))))
	x = n.Flatten(n.ReduceMean(x, true, 2, 3), 1)
	x = n.Relu(n.Gemm(x, n.weight("fc1.weight", 7, 10), n.weight("fc1.bias", 7), op.GemmAttrs{TransB: true}))
	return n.Add(n.MatMul(x, n.weight("fc2.weight", 7, 5)), n.weight("fc2.bias", 5))
}

// digits flattens a picture of several places a channel.
func digits(n *net) *onnx.Value {
	x := n.Relu(n.Add(n.bare("a", n.input(1, 1, 8, 8), 6, 3, 1), n.weight("a.bias", 6, 1, 1)))
	x = n.MaxPool(x, op.PoolAttrs{Kernel: []int64{2, 2}, Strides: []int64{2, 2}})
	x = n.Reshape(n.Relu(n.conv("b", x, 5, 3)), 1, 20)
	return n.Gemm(n.Relu(n.Gemm(x, n.weight("c.weight", 20, 6), n.weight("c.bias", 6), op.GemmAttrs{})), n.weight("d.weight", 6, 3), nil, op.GemmAttrs{})
}

func transposed(n *net) *onnx.Value {
	x := n.Relu(n.conv("a", n.input(1, 2, 6, 6), 6, 3))
	x = n.ConvTranspose(x, n.weight("up.weight", 6, 5, 2, 2), n.weight("up.bias", 5), op.ConvAttrs{Strides: []int64{2, 2}})
	return n.conv("b", n.Sub(n.Relu(x), n.Const(onnx.Scalar(float32(0.5)))), 2, 1)
}

// randomize gives every weight a number of its own and then clears some: single ones, whole filters, whole kernel slices,
// and the scale, the shift or both of norms. How many is drawn for the network.
func randomize(g *onnx.Graph, r *rand.Rand) {
	density := 0.1 + 0.8*r.Float64()
	often := r.Float64() * 0.7
	for _, n := range g.Nodes() {
		if n.Is("InstanceNormalization") {
			// The published epsilon makes noise 316 times as large where a channel is constant but not zero, and that again
			// in the next norm: what such a network draws depends on the order of its sums.
			n.SetAttr(onnx.Float32("epsilon", 1))
		}
	}
	for _, v := range g.Initializers() {
		t := v.Const.Clone()
		data := t.Float32s()
		for i := range data {
			data[i] = float32(r.NormFloat64()) * 0.4
			if r.Float64() > density {
				data[i] = 0
			}
		}
		if len(t.Dims) == 1 {
			if r.IntN(4) == 0 {
				clear(data)
			}
			if u := v.Uses()[0]; u.Node.Is("BatchNormalization") && u.Index == 4 {
				for i, x := range data {
					data[i] = 0.5 + x*x // a variance
				}
			}
		} else {
			taps := int(t.Len() / t.Dims[0] / t.Dims[1])
			for o := range int(t.Dims[0]) {
				for i := range int(t.Dims[1]) {
					if rand.New(rand.NewPCG(uint64(o), uint64(taps))).Float64() < often/3 || r.Float64() < often {
						at := (o*int(t.Dims[1]) + i) * taps
						clear(data[at : at+taps])
					}
				}
			}
		}
		v.Const = t
	}
}
