package export

import (
	"context"
	"fmt"
	"maps"

	"graft/onnx"
	"graft/onnx/op"
	"graft/runtime"
)

// freeSizes are tried for the free dimensions of made-up inputs, in this order: pictures and sequences long enough that what a
// model does to neighbours shows, then shorter ones, then those of models that want many samples at a time.
var freeSizes = []int64{64, 32, 16, 8, 4, 2, 1, 128, 256, 512, 1024, 1536}

// MadeUp makes count inputs of m, from seed on, of the first sizes on which the model runs; a single empty one where m wants none.
// Free dimensions are given[symbol]; else the first axis of an input is 1 and the others are as long as each other. Where none
// does, the error is that of the last try, an OriginalError.
func MadeUp(ctx context.Context, m *onnx.Model, seed uint64, count int, given map[string]int64, o runtime.Options) ([]map[string]*onnx.Tensor, error) {
	base := m.Clone()
	op.InferModel(base)
	g := base.Graph
	batch := map[string]bool{} // symbols of first axes
	free, fed := false, false
	for _, v := range g.Inputs() {
		fed = fed || !v.IsInitializer()
		for axis, d := range v.Type.Shape {
			if v.IsInitializer() || d.Known() || d.Symbol != "" && given[d.Symbol] > 0 {
				continue
			}
			free = free || axis > 0
			if axis == 0 && d.Symbol != "" {
				batch[d.Symbol] = true
			}
		}
	}
	if !fed {
		count = 1
	}
	if !free {
		return sampled(g, seed, count, given)
	}
	session, err := runtime.OpenModel(base, o)
	if err != nil {
		return nil, &OriginalError{err}
	}
	defer session.Close()
	for _, size := range freeSizes {
		for _, lastOnly := range []bool{false, true} {
			dims := maps.Clone(given)
			if dims == nil {
				dims = map[string]int64{}
			}
			shaped := base.Clone()
			for _, v := range shaped.Graph.Inputs() {
				for axis, d := range v.Type.Shape {
					switch {
					case d.Known() || d.Symbol != "" && (batch[d.Symbol] || dims[d.Symbol] > 0):
					case axis == 0 || lastOnly && axis < len(v.Type.Shape)-1:
					case d.Symbol != "":
						dims[d.Symbol] = size
					default:
						v.Type.Shape[axis] = onnx.Dim{Size: size}
					}
				}
			}
			var feeds []map[string]*onnx.Tensor
			if feeds, err = sampled(shaped.Graph, seed, count, dims); err != nil {
				return nil, err
			}
			if _, err = session.Run(ctx, feeds[0]); err == nil || ctx.Err() != nil {
				return feeds, ctx.Err()
			}
		}
	}
	return nil, &OriginalError{fmt.Errorf("with free dimensions of 1 to %d: %w", freeSizes[len(freeSizes)-1], err)}
}

func sampled(g *onnx.Graph, seed uint64, count int, dims map[string]int64) ([]map[string]*onnx.Tensor, error) {
	list := make([]map[string]*onnx.Tensor, count)
	for i := range list {
		var err error
		if list[i], err = runtime.Sample(g, seed+uint64(i), dims); err != nil {
			return nil, err
		}
	}
	return list, nil
}
