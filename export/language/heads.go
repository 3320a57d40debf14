package language

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	net "graft/graphs/language"
	"graft/onnx"
	"graft/onnx/limits"
)

// prunedKey is where config.json says which heads are gone, by layer. Versions of transformers before 5 read it.
const prunedKey = "pruned_heads"

// prunedHeads reads the heads that are gone.
func (f *fields) prunedHeads() map[int64][]int64 {
	var out map[int64][]int64
	for key, list := range f.object(prunedKey) {
		layer, err := strconv.ParseInt(key, 10, 64)
		heads, ok := list.([]any)
		if err != nil || !ok {
			f.bad(prunedKey, "wants lists of heads by the numbers of layers, has %s", limits.Name(key))
			return nil
		}
		in := &fields{o: object{}}
		for _, h := range heads {
			in.o[prunedKey] = h
			if out == nil {
				out = map[int64][]int64{}
			}
			out[layer] = append(out[layer], in.whole(prunedKey, -1))
		}
		f.wrong = append(f.wrong, in.wrong...)
		slices.Sort(out[layer])
	}
	return out
}

// encodedHeads is what prunedHeads reads.
func encodedHeads(gone map[int64][]int64) map[string][]int64 {
	out := map[string][]int64{}
	for layer, heads := range gone {
		out[fmt.Sprint(layer)] = heads
	}
	return out
}

// setHeads has the source's config.json say which heads are gone.
func (s *Source) setHeads(gone map[int64][]int64) error {
	o, err := parseJSON(s.Files[ConfigName])
	if err != nil || len(gone) == 0 && o[prunedKey] == nil {
		return err
	}
	if o[prunedKey] = encodedHeads(gone); len(gone) == 0 {
		delete(o, prunedKey)
	}
	data, err := json.MarshalIndent(o, "", "  ")
	s.Files[ConfigName] = append(data, '\n')
	return err
}

// whole lists the weights with all heads, and gives them of those found: heads that are gone are zeros, for forms that cannot say so.
func (s *Source) whole(o net.Options, found map[string]*entry) ([]net.Parameter, func(net.Parameter) (*onnx.Tensor, error), error) {
	c := s.Config
	c.PrunedHeads = nil
	params, err := c.Parameters(o)
	return params, c.Reheaded(s.Config, func(name string) (*onnx.Tensor, error) { return found[name].float32s() }), err
}

// closeGates multiplies gates that a network's file has, head_gates.N, into the weights that heads' outputs go through.
func (s *Source) closeGates(gates map[string]*onnx.Tensor) error {
	for layer := range s.Config.NumHiddenLayers {
		t := gates[fmt.Sprintf("head_gates.%d", layer)]
		parts := s.Config.HeadParts(layer)
		if t == nil || len(parts) == 0 {
			continue
		}
		last := parts[len(parts)-1]
		at, ok := s.index[last.Name]
		if !ok || t.DType != onnx.Float || t.Len() != int64(len(last.Of)) {
			return limits.Refuse("head_gates", "of layer %d are %v, it has %d heads", layer, t.Type(), len(last.Of))
		}
		if !slices.ContainsFunc(t.Float32s(), func(g float32) bool { return g != 1 }) {
			continue
		}
		s.Notes = append(s.Notes, fmt.Sprintf("gates of layer %d are multiplied into %s", layer, last.Name))
		read, width := s.entries[at].read, s.Config.Defaults().HeadDim
		s.entries[at].read = func() (*onnx.Tensor, error) {
			w, err := read()
			if err == nil {
				w, err = float32s(w)
			}
			if err != nil || len(w.Dims) != 2 || w.Dims[last.Axis] != int64(len(last.Of))*width {
				return w, err
			}
			w = w.Clone()
			for i := range w.Float32s() {
				row, column := int64(i)/w.Dims[1], int64(i)%w.Dims[1]
				w.Float32s()[i] *= t.Float32s()[[2]int64{row, column}[last.Axis]/width]
			}
			return w, nil
		}
	}
	return nil
}
