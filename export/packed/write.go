package packed

import (
	"fmt"
	"io"
	"math"
	"strings"

	"graft/onnx"
	"graft/onnx/limits"
	"graft/onnx/precision"
	"graft/onnx/rewrite"
	"graft/onnx/safetensors"
)

const format = "graft.packed.1"

// Config says how a model is packed.
type Config struct {
	// Half stores values as float16, which rounds them; one beyond its range is an error.
	Half bool
}

// Write packs a model, which stays as it is. Weights are packed where that makes the file smaller; zeros are those of positive
// sign, so that what is read is the same to the bit unless Half rounds it.
func Write(w io.Writer, m *onnx.Model, c Config) error {
	m = m.Clone()
	var tensors []*onnx.Tensor
	metadata := map[string]string{"format": format}
	for _, v := range m.Graph.Initializers() {
		if v.Const == nil || v.Const.DType != onnx.Float || m.Graph.IsInput(v) {
			continue
		}
		values, zeros, rice, err := pack(v, c)
		if err != nil {
			return err
		}
		if values == nil {
			continue
		}
		tensors = append(tensors, values, zeros)
		metadata["weight/"+v.Name] = describe(rice, v.Const.Dims)
		if _, _, err := rewrite.Lift(m.Graph, v); err != nil {
			return fmt.Errorf("pack %s: %w", limits.Name(v.Name), err)
		}
	}
	data, err := m.Encode()
	if err != nil {
		return fmt.Errorf("pack: %w", err)
	}
	graph := onnx.FromSlice(data)
	graph.Name = "graph"
	return safetensors.Write(w, append([]*onnx.Tensor{graph}, tensors...), metadata)
}

// describe is what the metadata says of a weight.
func describe(rice int, dims []int64) string {
	return fmt.Sprintf("rice %d dims %s", rice, strings.Trim(fmt.Sprint(dims), "[]"))
}

// entryBytes is about what a weight costs in the file's header.
const entryBytes = 256

// pack gives a weight's values and the gaps before them; nil where it is smaller as it is.
func pack(v *onnx.Value, c Config) (values, zeros *onnx.Tensor, rice int, err error) {
	var kept []float32
	var gaps []uint64
	gap := uint64(0)
	for _, x := range v.Const.Float32s() {
		if math.Float32bits(x) == 0 {
			gap++
			continue
		}
		kept, gaps, gap = append(kept, x), append(gaps, gap), 0
	}
	rice = bestRice(gaps)
	code := encodeRice(gaps, rice)
	width := 4
	if c.Half {
		width = 2
	}
	if len(kept)*width+len(code)+entryBytes >= len(v.Const.Data) {
		return nil, nil, 0, nil
	}
	values = onnx.FromSlice(kept)
	if c.Half {
		if why := precision.Fits(values, onnx.Float16); why != "" {
			return nil, nil, 0, fmt.Errorf("pack %s: float16 %s", limits.Name(v.Name), why)
		}
		values = precision.Round(values, onnx.Float16)
	}
	zeros = onnx.FromSlice(code)
	values.Name, zeros.Name = "values/"+v.Name, "zeros/"+v.Name
	return values, zeros, rice, nil
}
