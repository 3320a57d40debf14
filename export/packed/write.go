package packed

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"graft/onnx"
	"graft/onnx/limits"
	"graft/onnx/safetensors"
)

const format = "graft.packed.1"

// Config says how a model is packed.
type Config struct {
	// Values is the element type of what is stored: Float, which the zero value means too, Float16 or Int8. The latter two round; a
	// value that they cannot come near to is an error. Int8 leaves weights of one axis in float32.
	Values onnx.DataType
	// Exact are weights, by name, whose values stay in float32.
	Exact map[string]bool
}

// Write packs a model, which stays as it is. Weights are packed where that makes the file smaller; zeros are those of positive
// sign, so that what is read is the same to the bit unless Values rounds it.
func Write(w io.Writer, m *onnx.Model, c Config) error {
	m = m.Clone()
	g := m.Graph
	metadata := map[string]string{"format": format}
	var tensors []*onnx.Tensor
	total := int64(0)
	for place, v := range g.Initializers() {
		if g.IsInput(v) {
			continue
		}
		values := c.Values
		if values == onnx.Undefined || c.Exact[v.Name] {
			values = onnx.Float
		}
		p, err := pack(v, values)
		if err != nil {
			return fmt.Errorf("pack %s: %w", limits.Name(v.Name), err)
		}
		if p == nil {
			continue
		}
		tensors = append(tensors, p.tensors(v.Name)...)
		metadata["weight/"+v.Name] = fmt.Sprintf("place %d rice %d dims %s", place, p.rice, strings.Trim(fmt.Sprint(p.dims), "[]"))
		total += p.elements
		if err := lift(g, v); err != nil {
			return fmt.Errorf("pack %s: %w", limits.Name(v.Name), err)
		}
	}
	data, err := m.Encode()
	if err != nil {
		return fmt.Errorf("pack: %w", err)
	}
	graph := onnx.FromSlice(data)
	graph.Name = "graph"
	tensors = append(tensors, graph)
	safetensors.Sort(tensors)
	var b bytes.Buffer
	if err := safetensors.Write(&b, tensors, metadata); err != nil {
		return err
	}
	if most := mostElements(int64(b.Len())); total > most {
		return fmt.Errorf("pack: %d elements of weights would be in %d bytes, of which no more than %d are unpacked again", total, b.Len(), most)
	}
	_, err = w.Write(b.Bytes())
	return err
}

// lift makes an initializer an input of the same name.
func lift(g *onnx.Graph, v *onnx.Value) error {
	input := g.AddInput(v.Name, v.Type)
	g.ReplaceHandedOut(map[*onnx.Value]*onnx.Value{v: input})
	if err := g.ReplaceUses(v, input); err != nil {
		return err
	}
	var left []*onnx.Value
	for _, w := range g.Initializers() {
		if w != v {
			left = append(left, w)
		}
	}
	g.SetInitializers(left...)
	return nil
}

// entryBytes is about what a weight costs in the file's header.
const entryBytes = 256

// packing is a weight in parts.
type packing struct {
	dims     []int64
	elements int64
	values   *onnx.Tensor
	scales   *onnx.Tensor // nil but for int8
	rice     int
	zeros    []byte
}

// pack takes a weight apart, its values as a type; nil where it is smaller as it is, or no float32.
func pack(v *onnx.Value, as onnx.DataType) (*packing, error) {
	k, stored := keptOf(v, as.Bits()/8)
	if k == nil {
		return nil, nil
	}
	values, scales, err := k.round(as)
	if err != nil {
		return nil, err
	}
	gaps := k.gaps()
	p := &packing{dims: k.dims, elements: k.elements, values: values, scales: scales, rice: bestRice(gaps)}
	p.zeros = encodeRice(gaps, p.rice)
	if p.bytes()+entryBytes >= stored {
		return nil, nil
	}
	return p, nil
}

func (p *packing) bytes() int {
	n := len(p.values.Data) + len(p.zeros)
	if p.scales != nil {
		n += len(p.scales.Data) + entryBytes/2
	}
	return n
}

// tensors are the parts under their names.
func (p *packing) tensors(name string) []*onnx.Tensor {
	zeros := onnx.FromSlice(p.zeros)
	p.values.Name, zeros.Name = "values/"+name, "zeros/"+name
	if p.scales == nil {
		return []*onnx.Tensor{p.values, zeros}
	}
	p.scales.Name = "scales/" + name
	return []*onnx.Tensor{p.values, zeros, p.scales}
}
