package language

import (
	"fmt"

	"graft/onnx"
	"graft/onnx/op"
)

// The symbols of dimensions, as Optimum names them.
const (
	batchDim    = "batch_size"
	sequenceDim = "sequence_length"
	pastDim     = "past_sequence_length"
	totalDim    = "past_sequence_length + sequence_length"
)

// leastOpset is the oldest that models are declared in: before it, LayerNormalization was no operator.
const leastOpset = 17

// net is a model that is being built. What is between its layers is float [N·S, HiddenSize].
type net struct {
	Config
	Options
	architecture
	b      *op.Builder
	g      *onnx.Graph
	params map[string]*onnx.Value
	shapes map[[2]int64]*onnx.Value // [N,S,heads,width] by heads and width

	ids, mask     *onnx.Value
	dims          *onnx.Value // N and S
	length, total *onnx.Value // S, and S with what is past, int64 scalars
	hidden        *onnx.Value // float: what is added to scores
	presents      []output
	heads         []output // what each layer's heads make
	attentions    []output // weights of each layer
}

// output is a value that goes out beside the results.
type output struct {
	name  string
	value *onnx.Value
}

// built are the outputs of a model.
type built struct {
	hidden *onnx.Value // [N·S, HiddenSize]
	logits *onnx.Value // of the head; nil for features
	pooled *onnx.Value
}

// Build makes the model for a task, with weights that a function gives by their names: float, of the dims that it is asked for.
func (c Config) Build(o Options, weights func(Parameter) (*onnx.Tensor, error)) (*onnx.Model, error) {
	params, err := c.Parameters(o)
	if err != nil {
		return nil, fmt.Errorf("build %w", err)
	}
	c = c.Defaults()
	a, err := architectureOf(c.ModelType)
	if err != nil {
		return nil, err
	}
	if err := o.check(c, a); err != nil {
		return nil, err
	}
	g := onnx.NewGraph(c.ModelType)
	n := &net{Config: c, Options: o, architecture: a, b: op.NewBuilder(g), g: g, params: map[string]*onnx.Value{}, shapes: map[[2]int64]*onnx.Value{}}
	n.inputs()
	for _, p := range params {
		t, err := weights(p)
		if err != nil {
			return nil, fmt.Errorf("build %s: %s: %w", c.ModelType, p.Name, err)
		}
		if !onnx.NewShape(p.Dims...).Equal(onnx.NewShape(t.Dims...)) || t.DType != onnx.Float {
			return nil, fmt.Errorf("build %s: %s is %v, wants float %v", c.ModelType, p.Name, t.Type(), p.Dims)
		}
		n.params[p.Name] = g.AddInitializer(p.Name, t)
	}
	return n.finish(a.build(n))
}

// w is a parameter by its name.
func (n *net) w(name string) *onnx.Value {
	v := n.params[name]
	if v == nil {
		n.b.Fail("no parameter %s", name)
	}
	return v
}

// finish adds the outputs and wraps the graph up.
func (n *net) finish(y *built) (*onnx.Model, error) {
	b := n.b
	if y.logits != nil {
		n.g.AddOutput(y.logits, "logits")
	} else if y.hidden != nil {
		n.g.AddOutput(b.In("output").ReshapeTo(y.hidden, n.sized(n.HiddenSize)), "last_hidden_state")
	}
	if y.pooled != nil {
		n.g.AddOutput(y.pooled, "pooler_output")
	}
	if err := b.Err(); err != nil {
		return nil, fmt.Errorf("build %w", err)
	}
	for _, v := range n.presents {
		v.value.Type.Shape[2] = onnx.Dim{Symbol: totalDim}
		n.g.AddOutput(v.value, v.name)
	}
	for _, v := range n.heads {
		n.g.AddOutput(v.value, v.name)
	}
	for _, v := range n.attentions {
		n.g.AddOutput(v.value, v.name)
	}
	lowest, err := op.LowestOpset(n.g)
	if err != nil {
		return nil, err
	}
	m := &onnx.Model{Opsets: []onnx.Opset{{Version: op.Opset}}, ProducerName: "graft", Graph: n.g}
	m.Declare(max(lowest, leastOpset))
	return m, nil
}

// sized is N, S and what is given.
func (n *net) sized(more ...int64) *onnx.Value {
	return n.b.In("shape").Concat(0, n.dims, n.b.Ints(more...))
}
