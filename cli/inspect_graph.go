package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"graft/cli/report"
	"graft/onnx"
	"graft/onnx/inspect"
	"graft/onnx/op"
)

// picture is a graph as boxes and arrows: a box for each input, output and node, those of branches and loop bodies above
// the node that they belong to. Constants are part of the boxes that read them.
type picture struct {
	boxes  []report.Box
	arrows []report.Arrow
	makers map[*onnx.Value][2]int // box, and number of the value there
}

// mostBoxes is how many boxes a picture has at most: a browser has to hold them all.
const mostBoxes = 20_000

func pictureOf(g *onnx.Graph) *picture {
	p := &picture{makers: map[*onnx.Value][2]int{}}
	if g != nil {
		p.graph(g, "", 0)
	}
	return p
}

// deepest is how far graphs inside nodes are drawn; the reader refuses deeper ones.
const deepest = 64

// graph draws g and gives the values that it hands out. where is the way to it, empty for the main graph.
func (p *picture) graph(g *onnx.Graph, where string, depth int) {
	if depth > deepest {
		return
	}
	for _, v := range g.Inputs() {
		if !v.IsInitializer() {
			p.makers[v] = [2]int{len(p.boxes), 0}
			p.boxes = append(p.boxes, report.Box{Title: v.Name, Note: typeText(v), Kind: "port", Name: inGraph(where, v.Name),
				Details: []report.Pair{{Name: "input", Value: v.Name}, {Name: "type", Value: typeText(v)}}})
		}
	}
	for _, n := range g.Nodes() {
		if n.Is("Constant") {
			continue
		}
		var bodies [][]*onnx.Value
		for _, a := range n.Attrs {
			if sub, ok := a.Value.(*onnx.Graph); ok && sub != nil {
				p.graph(sub, inGraph(where, displayName(n)+"."+a.Name), depth+1)
				bodies = append(bodies, sub.Outputs())
			}
		}
		box := len(p.boxes)
		p.boxes = append(p.boxes, boxOf(n, where))
		for _, v := range n.Inputs() {
			p.arrow(v, box)
		}
		for _, list := range bodies {
			for _, v := range list {
				p.arrow(v, box)
			}
		}
		for i, v := range n.Outputs() {
			if v != nil {
				p.makers[v] = [2]int{box, i}
			}
		}
	}
	if where != "" {
		return
	}
	for _, v := range g.Outputs() {
		box := len(p.boxes)
		p.boxes = append(p.boxes, report.Box{Title: v.Name, Note: typeText(v), Kind: "port", Name: v.Name,
			Details: []report.Pair{{Name: "output", Value: v.Name}, {Name: "type", Value: typeText(v)}}})
		p.arrow(v, box)
	}
}

// arrow leads from what makes v to a box; constants have none.
func (p *picture) arrow(v *onnx.Value, box int) {
	if at, ok := p.makers[v]; ok && v != nil {
		p.arrows = append(p.arrows, report.Arrow{From: at[0], To: box, Net: at[1], Label: v.Name + " " + typeText(v)})
	}
}

func displayName(n *onnx.Node) string {
	if n.Name != "" {
		return n.Name
	}
	if y := n.Output(0); y != nil {
		return y.Name
	}
	return n.Op
}

// typeText is "float32 [1 3 H W]".
func typeText(v *onnx.Value) string {
	if v.Type.Of != nil {
		return v.Type.String()
	}
	port := inspect.PortOf(v)
	return port.DType + " " + shapeText(port.Shape)
}

func boxOf(n *onnx.Node, where string) report.Box {
	title := n.Op
	if !n.Is(n.Op) {
		title = n.Domain + "::" + n.Op
	}
	b := report.Box{Title: title, Kind: kindOf(n), Name: inGraph(where, displayName(n))}
	add := func(name, value string) {
		b.Details = append(b.Details, report.Pair{Name: name, Value: shortened(value)})
	}
	add("name", b.Name)
	if macs, _, ok := op.MACs(n); ok {
		add("MACs", grouped(macs))
	}
	for _, a := range n.Attrs {
		add(a.Name, attributeText(a))
	}
	var notes []string
	for i, v := range n.Inputs() {
		if v == nil {
			continue
		}
		kind := "input"
		if v.IsInitializer() || v.Producer() != nil && v.Producer().Is("Constant") {
			kind = "weight"
			if len(v.Type.Shape) > 0 && len(notes) < 2 && kindOf(n) != "move" {
				notes = append(notes, strings.Trim(strings.ReplaceAll(v.Type.Shape.String(), " ", "×"), "[]"))
			}
		}
		add(fmt.Sprintf("%s %d", kind, i), v.Name+" "+typeText(v))
	}
	for i, v := range n.Outputs() {
		if v != nil {
			add(fmt.Sprintf("output %d", i), v.Name+" "+typeText(v))
		}
	}
	b.Note = strings.Join(notes, ", ")
	return b
}

// attributeText is an attribute's value in a few words.
func attributeText(a onnx.Attr) string {
	switch v := a.Value.(type) {
	case *onnx.Tensor:
		if v != nil {
			return v.Type().String()
		}
	case *onnx.Graph:
		if v != nil {
			return counted(v.NumNodes(), "node")
		}
	case onnx.Opaque:
		return counted(len(v), "byte")
	case []*onnx.Tensor:
		return counted(len(v), "tensor")
	case []*onnx.Graph:
		return counted(len(v), "graph")
	}
	return fmt.Sprint(a.Value)
}

// kinds are the colours of operators.
var kinds = map[string][]string{
	"compute": {"Conv", "ConvTranspose", "Gemm", "MatMul", "Einsum", "LSTM", "GRU", "RNN", "Attention", "DeformConv", "MultiHeadAttention"},
	"norm": {"BatchNormalization", "InstanceNormalization", "LayerNormalization", "GroupNormalization", "LRN", "LpNormalization",
		"RMSNormalization", "MeanVarianceNormalization", "SimplifiedLayerNormalization", "SkipLayerNormalization", "Dropout"},
	"act": {"Relu", "LeakyRelu", "PRelu", "Elu", "Selu", "Celu", "Gelu", "FastGelu", "Sigmoid", "HardSigmoid", "HardSwish", "Swish", "Mish", "Tanh", "Softmax",
		"LogSoftmax", "Softplus", "Softsign", "Clip", "Erf", "ThresholdedRelu", "Hardmax"},
	"pool": {"MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool", "LpPool", "ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin",
		"ReduceProd", "ReduceL1", "ReduceL2", "ArgMax", "ArgMin", "TopK", "Resize", "Upsample", "MaxUnpool"},
	"move": {"Reshape", "Transpose", "Flatten", "Squeeze", "Unsqueeze", "Concat", "Split", "Slice", "Gather", "GatherElements", "GatherND",
		"Expand", "Tile", "Pad", "Shape", "Size", "Identity", "Cast", "CastLike", "DepthToSpace", "SpaceToDepth", "ScatterND", "ScatterElements", "ConstantOfShape", "Range"},
	"math": {"Add", "Sub", "Mul", "Div", "Pow", "Sqrt", "Exp", "Log", "Neg", "Abs", "Min", "Max", "Mean", "Sum", "Where", "Equal", "Less", "Greater",
		"Not", "And", "Or", "Reciprocal", "Floor", "Ceil", "Round", "Mod", "Sin", "Cos", "Sign"},
	"quant":   {"QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "QLinearConv", "QLinearMatMul", "ConvInteger", "MatMulInteger", "MatMulNBits"},
	"control": {"If", "Loop", "Scan", "SequenceMap"},
}

func kindOf(n *onnx.Node) string {
	for _, kind := range report.Kinds {
		if slices.Contains(kinds[kind], n.Op) {
			return kind
		}
	}
	return "other"
}

// writeDOT writes the picture in Graphviz's language.
func (p *picture) writeDOT(w io.Writer, title string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "digraph %s {\n  rankdir=TB;\n  node [shape=box, style=\"rounded,filled\", fillcolor=\"#eeeeee\", fontname=\"Helvetica\"];\n", dotText(title))
	for i, box := range p.boxes {
		label := box.Title
		if box.Note != "" {
			label += "\n" + box.Note
		}
		shape := ""
		if box.Kind == "port" {
			shape = ", shape=ellipse, fillcolor=\"#ffffff\""
		}
		fmt.Fprintf(&b, "  n%d [label=%s, tooltip=%s%s];\n", i, dotText(label), dotText(box.Name), shape)
	}
	for _, a := range p.arrows {
		fmt.Fprintf(&b, "  n%d -> n%d [tooltip=%s];\n", a.From, a.To, dotText(a.Label))
	}
	b.WriteString("}\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// dotText is a string of Graphviz's language. Backslashes begin escapes there, so that those of s are doubled.
func dotText(s string) string {
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		lines[i] = strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(clean(line))
	}
	return `"` + strings.Join(lines, `\n`) + `"`
}
