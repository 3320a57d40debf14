package quantize

import (
	"slices"

	"graft/onnx"
	"graft/onnx/op"
)

// rearranging are the operators whose results are elements of what they read: they have its scale, and run on integers as they are.
var rearranging = []string{"MaxPool", "Reshape", "Flatten", "Transpose", "Squeeze", "Unsqueeze"}

// joining are the operators that runtimes compute on integers where all that they read and give is quantized.
var joining = []string{"Add", "Mul", "Concat", "AveragePool", "GlobalAveragePool", "Sigmoid", "LeakyRelu"}

func rearranges(n *onnx.Node) bool {
	return n.Is(n.Op) && slices.Contains(rearranging, n.Op) && (len(n.Outputs()) == 1 || n.Output(1) == nil)
}

func joins(n *onnx.Node) bool {
	if !n.Is(n.Op) || !slices.Contains(joining, n.Op) {
		return false
	}
	for _, v := range n.Inputs() {
		if v == nil || v.Type.DType != onnx.Float || op.ConstantOf(v) != nil {
			return false
		}
	}
	return true
}

// demanded are the values that reach a product on integers: through operators that run on integers themselves.
func demanded(g *onnx.Graph) map[*onnx.Value]bool {
	wanted := map[*onnx.Value]bool{}
	nodes := g.Nodes()
	for _, n := range slices.Backward(nodes) {
		if _, ok := productOf(n); ok {
			wanted[n.Input(0)] = true
			continue
		}
		if !wanted[n.Output(0)] {
			continue
		}
		switch {
		case rearranges(n), n.Is("Relu"):
			wanted[n.Input(0)] = true
		case joins(n):
			for _, v := range n.Inputs() {
				wanted[v] = true
			}
		}
	}
	return wanted
}

// storedOf is what is stored of a node's first output: itself, or that of the Relu that alone reads it.
func storedOf(n *onnx.Node) *onnx.Value {
	o := n.Output(0)
	if uses := o.Uses(); len(uses) == 1 && uses[0].Node.Is("Relu") && !n.Graph().IsOutput(o) {
		o = uses[0].Node.Output(0)
	}
	return o
}

// link keeps what n gives in integers where what it reads is, and a product further on reads it.
func (s *static) link(n *onnx.Node, wanted map[*onnx.Value]bool) {
	switch {
	case rearranges(n):
		in, out := s.stored[n.Input(0)], n.Output(0)
		if in != nil && wanted[out] && s.stored[out] == nil && !s.graph.IsOutput(out) {
			s.pair(out, in.unit[0], in.unit[1], in.scales)
		}
	case joins(n):
		for _, v := range n.Inputs() {
			if s.stored[v] == nil {
				return
			}
		}
		if out := storedOf(n); wanted[out] && !s.graph.IsOutput(out) {
			s.activation(out)
		}
	}
}
