package kernels

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"graft/onnx"
	"graft/onnx/op"
)

// Fallback is a node that a provider leaves to the CPU.
type Fallback struct {
	Node *onnx.Node
	Why  string
}

func (f Fallback) String() string { return fmt.Sprintf("%s: %s", f.Node, f.Why) }

// tables are the kernels by full name of their provider.
var tables = map[string]map[string]kernel{"CUDAExecutionProvider": byOperator(cuda)}

func byOperator(list []kernel) map[string]kernel {
	t := make(map[string]kernel, len(list))
	for _, k := range list {
		t[k.op] = k
	}
	return t
}

// Known reports whether there is a table of a provider's kernels, by full name.
func Known(provider string) bool { return tables[provider] != nil }

// Operators lists those that a provider has kernels for.
func Operators(provider string) []string { return slices.Sorted(maps.Keys(tables[provider])) }

// Opsets gives the opsets that an operator's kernels are for: from the first on, the last kernel from newest, none from behind
// on where that is not 0.
func Opsets(provider, operator string) (first, newest, behind int64, ok bool) {
	k, ok := tables[provider][operator]
	return k.first, k.newest, k.behind, ok
}

// Fallbacks lists the nodes of m, of subgraphs too, that a provider has no kernel for; nothing where there is no table of it. The
// types of values are read from the graph: where one is not known any kernel counts. Nodes that compute sizes are left out:
// ONNX Runtime keeps those on the CPU on purpose. What its optimizations fuse or fold is not looked at.
func Fallbacks(m *onnx.Model, provider string) []Fallback {
	t := tables[provider]
	if t == nil || m.Graph == nil {
		return nil
	}
	return fallbacks(m.Graph, m.Opset(""), t, map[*onnx.Value]bool{})
}

func fallbacks(g *onnx.Graph, opset int64, t map[string]kernel, sizes map[*onnx.Value]bool) (list []Fallback) {
	for _, n := range g.Nodes() {
		if onSizes(n, sizes) {
			if !slices.Contains(makers, n.Op) {
				for _, o := range n.Outputs() {
					sizes[o] = true
				}
				continue
			}
		}
		if why := lacks(n, opset, t); why != "" {
			list = append(list, Fallback{n, why})
		}
		for _, sub := range n.Subgraphs() {
			list = append(list, fallbacks(sub, opset, t, sizes)...)
		}
	}
	return list
}

// makers make large tensors of sizes.
var makers = []string{"ConstantOfShape", "Expand", "Tile", "EyeLike", "OneHot", "Range", "If", "Loop", "Scan"}

// onSizes reports whether n computes from shapes and constants alone.
func onSizes(n *onnx.Node, sizes map[*onnx.Value]bool) bool {
	if n.Is("Shape") || n.Is("Size") || n.Is("Constant") {
		return true
	}
	for _, v := range n.Inputs() {
		if v != nil && !sizes[v] && !v.IsInitializer() {
			return false
		}
	}
	return n.NumInputs() > 0
}

// lacks says why n has no kernel in the table; empty: it has one.
func lacks(n *onnx.Node, opset int64, t map[string]kernel) string {
	if n.Domain != "" && n.Domain != "ai.onnx" {
		return "" // nothing is known of other domains
	}
	k, ok := t[n.Op]
	switch {
	case !ok:
		return "no kernel"
	case opset < k.first:
		return fmt.Sprintf("no kernel below opset %d", k.first)
	case k.behind > 0 && opset >= k.behind:
		return fmt.Sprintf("no kernel from opset %d on", k.behind)
	}
	if d := elementType(n); d != onnx.Undefined && !slices.Contains(k.types, d) {
		return fmt.Sprintf("no kernel for %v", d)
	}
	if refuses := cudaRefuses[n.Op]; refuses != nil {
		return refuses(n)
	}
	return ""
}

// elementType is the type that a kernel is chosen by.
func elementType(n *onnx.Node) onnx.DataType {
	s := op.Lookup(n.Op)
	if s == nil {
		return onnx.Undefined
	}
	v := n.Output(0)
	if s.TypedBy >= 0 {
		v = n.Input(s.TypedBy)
	}
	if v == nil || !v.IsTensor() {
		return onnx.Undefined
	}
	return v.Type.DType
}

// cudaRefuses says what of a node the CUDA provider's kernels do not take; empty: nothing.
var cudaRefuses = map[string]func(n *onnx.Node) string{
	"ConvTranspose": func(n *onnx.Node) string {
		pads := onnx.AttrOr(n, "pads", []int64(nil))
		if k := len(pads) / 2; !slices.Equal(pads[:k], pads[k:]) {
			return fmt.Sprintf("padding %v is not the same on both sides", pads)
		}
		if auto := onnx.AttrOr(n, "auto_pad", "NOTSET"); strings.HasPrefix(auto, "SAME") {
			return "auto_pad " + auto
		}
		return ""
	},
	"BatchNormalization": func(n *onnx.Node) string {
		if onnx.AttrOr(n, "training_mode", int64(0)) != 0 {
			return "training mode"
		}
		return ""
	},
	"ScatterND": func(n *onnx.Node) string {
		if r := onnx.AttrOr(n, "reduction", "none"); r != "none" && r != "add" {
			return "reduction " + r
		}
		return ""
	},
	"GRU": func(n *onnx.Node) string {
		if onnx.AttrOr(n, "linear_before_reset", int64(0)) != 1 {
			return "linear_before_reset 0"
		}
		return clipped(n)
	},
	"LSTM": func(n *onnx.Node) string {
		switch {
		case n.Input(7) != nil:
			return "peepholes"
		case onnx.AttrOr(n, "input_forget", int64(0)) != 0:
			return "input_forget 1"
		}
		return clipped(n)
	},
	"RNN": clipped,
}

// clipped says which attribute of a recurrent layer cuDNN has no form for.
func clipped(n *onnx.Node) string {
	for _, name := range []string{"activation_alpha", "activation_beta", "clip"} {
		if _, ok := n.Attr(name); ok {
			return name
		}
	}
	return ""
}
