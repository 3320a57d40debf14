package masking_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"graft/graphs"
	"graft/onnx"
)

// TestCompactNetworks masks small networks of every family at random and compacts them.
func TestCompactNetworks(t *testing.T) {
	for name, network := range map[string]graphs.Network{
		"hourglass":   graphs.Hourglass{Channels: []int64{4, 6}, DownKernel: 3, In: 3, Height: 16, Width: 16},
		"skip":        graphs.Skip{Channels: []int64{4, 5}, Bypass: []int64{2, 0}, In: 3, Height: 16, Width: 16},
		"unet":        graphs.UNet{Channels: []int64{3, 4, 5}, In: 3, Height: 16, Width: 16},
		"deepdecoder": graphs.DeepDecoder{Channels: 5, Layers: 3, Height: 16, Width: 16},
	} {
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
