package export

import (
	"fmt"
	"slices"

	"graft/masking"
	"graft/onnx"
	"graft/onnx/noise"
	"graft/onnx/op"
)

// Z says where a deployed generator takes its input from.
type Z string

// The places. Stored, z outweighs the weights (33.6 MB at 512x512); made, it takes some twenty nodes.
const (
	ZGenerate Z = "generate" // made inside the file by a counter-based generator of integer operators
	ZInput    Z = "input"    // stays an input
	ZTensor   Z = "tensor"   // stored in the file
)

// Deployment says how a model is made ready. The zero value changes nothing but the opset and names.
type Deployment struct {
	Z        Z         // "" is ZInput
	Key      noise.Key // of the sequence that z is drawn from
	Scale    float32   // z is uniform on (0, Scale)
	Compact  bool      // cut channels that are constant or unread
	Sparse   bool      // store initializers sparsely where that is smaller
	Metadata onnx.Metadata
}

// Deployed is a model ready for other runtimes.
type Deployed struct {
	Model      *onnx.Model
	Compaction masking.Compaction // zero unless asked for
}

// leastOpset is what deployed models declare at least: every runtime in use reads it.
const leastOpset = 17

// generatorOpset is the least opset that has what makes z: Range and Mod among the rest.
const generatorOpset = 13

// Apply makes the deployed form of m, which stays as it is.
func (d Deployment) Apply(m *onnx.Model) (*Deployed, error) {
	out := &Deployed{Model: m.Clone()}
	g := out.Model.Graph
	z := d.frame(g)
	if d.Compact {
		done, err := masking.CompactInputs(g, z.cut...)
		if err != nil {
			return nil, fmt.Errorf("export: %w", err)
		}
		out.Compaction = done
	}
	if err := d.placeZ(out.Model, z.shape, out.Compaction.Inputs); err != nil {
		return nil, fmt.Errorf("export: %w", err)
	}
	g.RemoveUnused()
	if d.Sparse {
		if err := storeSparse(g); err != nil {
			return nil, fmt.Errorf("export: %w", err)
		}
	}
	if err := declareOpset(out.Model); err != nil {
		return nil, fmt.Errorf("export: %w", err)
	}
	for _, kv := range d.Metadata {
		out.Model.Metadata.Set(kv.Key, kv.Value)
	}
	return out, nil
}

// frame is what z is before anything is cut, and its name where its channels may be: one image of which the file makes what is read.
func (d Deployment) frame(g *onnx.Graph) (z struct {
	shape onnx.Shape
	cut   []string
}) {
	in := slices.DeleteFunc(g.Inputs(), (*onnx.Value).IsInitializer)
	if len(in) != 1 {
		return z
	}
	z.shape = slices.Clone(in[0].Type.Shape)
	if sizes, ok := z.shape.Sizes(); ok && len(sizes) > 1 && sizes[0] == 1 && (d.Z == ZGenerate || d.Z == ZTensor) {
		z.cut = []string{in[0].Name}
	}
	return z
}

// placeZ replaces the graph's only input, of the given shape before channels went; left are those that did not, where some went.
func (d Deployment) placeZ(m *onnx.Model, shape onnx.Shape, left map[string][]int) error {
	if d.Z == "" || d.Z == ZInput {
		return nil
	}
	g := m.Graph
	in := slices.DeleteFunc(g.Inputs(), (*onnx.Value).IsInitializer)
	if len(in) != 1 {
		return fmt.Errorf("--z %s wants a generator with one input, the model has %d", d.Z, len(in))
	}
	z := in[0]
	dims, ok := shape.Sizes()
	if !ok || z.Type.DType != onnx.Float {
		return fmt.Errorf("--z %s wants a float input of known size, %q is %v", d.Z, z.Name, z.Type)
	}
	if d.Z == ZGenerate && m.Opset("") < generatorOpset {
		return fmt.Errorf("--z %s wants opset %d, the model has %d", d.Z, generatorOpset, m.Opset(""))
	}
	var made *onnx.Value
	switch d.Z {
	case ZGenerate:
		b := op.NewBuilder(g).In(z.Name)
		numbers := noise.Emit
		if kept := left[z.Name]; kept != nil {
			numbers = func(b *op.Builder, k noise.Key, dims ...int64) *onnx.Value {
				return noise.EmitChannels(b, k, kept, dims...)
			}
		}
		made = b.Mul(numbers(b, d.Key, dims...), b.Const(onnx.Scalar(d.Scale)))
		if err := b.Err(); err != nil {
			return err
		}
	case ZTensor:
		t := onnx.NewTensor(onnx.Float, dims...)
		noise.Uniform(t.Float32s(), d.Key)
		for i := range t.Float32s() {
			t.Float32s()[i] *= d.Scale
		}
		if kept := left[z.Name]; kept != nil {
			var err error
			if t, err = masking.Pick(t, 1, kept); err != nil {
				return err
			}
		}
		made = g.AddInitializer(z.Name+".stored", t)
	default:
		return fmt.Errorf("no such place for z: %q (generate, input, tensor)", d.Z)
	}
	if err := g.ReplaceUses(z, made); err != nil {
		return err
	}
	return g.RemoveInput(z)
}

// declareOpset imports the lowest opset that carries the graph, and the file version that goes with it. A model with an
// operator that the table does not know keeps what it declares.
func declareOpset(m *onnx.Model) error {
	if m.Opset("") != op.Opset {
		return nil
	}
	lowest, err := op.LowestOpset(m.Graph)
	if err != nil {
		return nil
	}
	m.Declare(max(lowest, leastOpset))
	return nil
}
