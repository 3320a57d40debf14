package cli

import (
	"slices"

	"graft/onnx"
	"graft/onnx/diff"
	"graft/onnx/limits"
	"graft/onnx/op"
	"graft/runtime"
)

// A session that gives values from inside holds all of them until its run ends. It is asked for as many as fit into
// layerBytes, of each model, by what inference says of their sizes; layersAtOnce of them where that is not known.
const (
	layerBytes   = 256 << 20
	layersAtOnce = 32
)

// layer is a value inside both models: its name in each.
type layer [2]string

// compareLayers compares the tensors inside that have one name in both models, in a's order, up to and with the session in
// which the first departs. Models that share no name are paired by structure.
func (c *call) compareLayers(sides [2]side, feeds map[string]*onnx.Tensor, tol runtime.Tolerance) ([]runtime.Difference, error) {
	inferred := sides[0].model.Clone()
	for _, v := range inferred.Graph.Inputs() {
		if t := feeds[v.Name]; t != nil && !v.IsInitializer() {
			v.Type = t.Type()
		}
	}
	op.InferModel(inferred)
	layers := commonValues(inferred.Graph, sides[1].model.Graph)
	if len(layers) == 0 {
		if layers = pairedValues(inferred.Graph, sides[1].model.Graph); len(layers) > 0 {
			c.Say("no value inside has one name in both: they are paired by structure")
		}
	}
	types := madeValues(inferred.Graph)
	var all []runtime.Difference
	c.Progress().Stage("layers", len(layers))
	defer c.Progress().Done()
	for len(layers) > 0 {
		n := fitting(types, layers)
		got, err := c.compareGroup(sides, feeds, tol, layers[:n])
		if err != nil {
			return nil, err
		}
		all = append(all, got.Outputs...)
		c.Progress().Step(len(all), "")
		if !got.Equal {
			break
		}
		layers = layers[n:]
	}
	return all, nil
}

// compareGroup runs both models with some of the values inside as outputs, and compares these, in order.
func (c *call) compareGroup(sides [2]side, feeds map[string]*onnx.Tensor, tol runtime.Tolerance, group []layer) (runtime.Comparison, error) {
	var results [2]map[string]*onnx.Tensor
	for i, s := range sides {
		exposed := side{s.path, s.model.Clone()}
		made := madeValues(exposed.model.Graph)
		names := make([]string, len(group))
		for j, l := range group {
			names[j] = l[i]
			exposed.model.Graph.AddOutput(made[l[i]], "")
		}
		session, err := c.openSession(exposed.model, s.path)
		if err != nil {
			return runtime.Comparison{}, err
		}
		results[i], err = c.runSession(session, exposed, feeds, names...)
		_ = session.Close()
		if err != nil {
			return runtime.Comparison{}, err
		}
	}
	second := map[string]*onnx.Tensor{}
	place := map[string]int{}
	for j, l := range group {
		second[l[0]], place[l[0]] = results[1][l[1]], j
	}
	got := runtime.Compare(results[0], second, tol)
	slices.SortStableFunc(got.Outputs, func(a, b runtime.Difference) int { return place[a.Name] - place[b.Name] })
	return got, nil
}

// fitting is how many of the values, one at least, go into one session.
func fitting(types map[string]*onnx.Value, layers []layer) int {
	used := int64(0)
	for i, l := range layers {
		bytes := int64(layerBytes / layersAtOnce)
		if v := types[l[0]]; v != nil {
			if sizes, ok := v.Type.Shape.Sizes(); ok {
				if n, ok := limits.Bytes(sizes, max(8, v.Type.DType.Bits())); ok {
					bytes = n
				}
			}
		}
		if used += bytes; used > layerBytes && i > 0 {
			return i
		}
	}
	return len(layers)
}

// commonValues are the tensors that nodes of both graphs make under one name and that are no output of either.
func commonValues(a, b *onnx.Graph) []layer {
	var layers []layer
	inner := innerValues(b)
	for _, n := range a.Nodes() {
		for _, v := range n.Outputs() {
			if v != nil && inside(a, v) && inner[v.Name] {
				layers = append(layers, layer{v.Name, v.Name})
			}
		}
	}
	return layers
}

// pairedValues are those that nodes make which compute the same by structure.
func pairedValues(a, b *onnx.Graph) []layer {
	var layers []layer
	inner := innerValues(b)
	for _, p := range diff.Values(a, b) {
		if inside(a, p[0]) && inner[p[1].Name] {
			layers = append(layers, layer{p[0].Name, p[1].Name})
		}
	}
	return layers
}

// madeValues are the values that nodes of g make, by name.
func madeValues(g *onnx.Graph) map[string]*onnx.Value {
	made := map[string]*onnx.Value{}
	for _, n := range g.Nodes() {
		for _, v := range n.Outputs() {
			if v != nil && v.Name != "" {
				made[v.Name] = v
			}
		}
	}
	return made
}

// innerValues are the names of the values of g that can be made outputs.
func innerValues(g *onnx.Graph) map[string]bool {
	names := map[string]bool{}
	for _, n := range g.Nodes() {
		for _, v := range n.Outputs() {
			if v != nil && inside(g, v) {
				names[v.Name] = true
			}
		}
	}
	return names
}

func inside(g *onnx.Graph, v *onnx.Value) bool {
	return v.Name != "" && v.IsTensor() && !g.IsOutput(v) && !v.Producer().Is("Constant")
}

// layerNode is the node that makes a value.
type layerNode struct {
	Name   string   `json:"name"`
	Op     string   `json:"op"`
	Inputs []string `json:"inputs"`
}

// layerNodeOf is the node of g that makes the value of that name; nil where there is none.
func layerNodeOf(g *onnx.Graph, name string) *layerNode {
	v := g.Lookup(name)
	if v == nil || v.Producer() == nil {
		return nil
	}
	n := layerNode{Name: v.Producer().Name, Op: v.Producer().Op, Inputs: []string{}}
	for _, in := range v.Producer().Inputs() {
		if in != nil {
			n.Inputs = append(n.Inputs, in.Name)
		}
	}
	return &n
}
