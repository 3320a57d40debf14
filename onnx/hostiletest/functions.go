package hostiletest

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"graft/onnx/internal/onnxpb"
)

// Function is a function of the domain "f" with input x.
func Function(name, overload string, nodes ...*onnxpb.NodeProto) *onnxpb.FunctionProto {
	return &onnxpb.FunctionProto{Name: &name, Domain: proto.String("f"), Overload: &overload, Node: nodes, Input: []string{"x"},
		OpsetImport: []*onnxpb.OperatorSetIdProto{{Version: proto.Int64(17)}}}
}

// Call is a node that calls a function of the domain "f".
func Call(name, overload, out string) *onnxpb.NodeProto {
	n := Node(name, []string{"x"}, []string{out})
	n.Domain, n.Overload = proto.String("f"), &overload
	return n
}

// WithFunctions is a good model with functions.
func WithFunctions(fs ...*onnxpb.FunctionProto) *onnxpb.ModelProto {
	m := Good()
	m.Functions = fs
	return m
}

// Chain is n functions of which each calls the next, times times.
func Chain(n, times int) *onnxpb.ModelProto {
	var fs []*onnxpb.FunctionProto
	for i := range n {
		var calls []*onnxpb.NodeProto
		for k := range times {
			if i+1 < n {
				calls = append(calls, Call(fmt.Sprint("f", i+1), "", fmt.Sprint("y", k)))
			}
		}
		fs = append(fs, Function(fmt.Sprint("f", i), "", calls...))
	}
	return WithFunctions(fs...)
}

// Deep is a model with graphs in each other.
func Deep(n int) *onnxpb.ModelProto {
	m := Good()
	g := m.Graph
	for range n {
		inner := &onnxpb.GraphProto{}
		g.Node = append(g.Node, Node("If", nil, nil, GraphAttr("then_branch", inner)))
		g = inner
	}
	return m
}

// functions are attacks by functions and by graphs inside nodes.
func functions() []Model {
	with := func(name string, fs ...*onnxpb.FunctionProto) Model {
		return wrong("O11", name, "calls itself", func() *onnxpb.ModelProto { return WithFunctions(fs...) })
	}
	branch := GraphAttr("then_branch", &onnxpb.GraphProto{Node: []*onnxpb.NodeProto{Call("a", "", "z")}})
	twice := with("defined twice", Function("a", ""), Function("a", ""))
	twice.Says = "defined twice"
	return []Model{
		with("a calls a", Function("a", "", Call("a", "", "y"))),
		with("a calls b calls a", Function("a", "", Call("b", "", "y")), Function("b", "", Call("a", "", "y"))),
		with("a calls a in a branch", Function("a", "", Node("If", []string{"x"}, []string{"y"}, branch))),
		twice,
		wrong("O12", "calls 101 deep", "more than 100 deep", func() *onnxpb.ModelProto { return Chain(101, 1) }),
		wrong("O12", "10,001 functions", "10001 functions", func() *onnxpb.ModelProto { return Chain(10_001, 0) }),
		message("O13", "graphs 33 deep", "32 deep", func() *onnxpb.ModelProto { return Deep(33) }),
		message("O13", "graphs 1,000 deep", "deep", func() *onnxpb.ModelProto { return Deep(1000) }),
		wrong("O13", "40 functions that call the next twice", "expanded", func() *onnxpb.ModelProto {
			m := Chain(40, 2)
			m.Graph.Node = append(m.Graph.Node, Node("Identity", []string{"w"}, []string{"x"}), Call("f0", "", "z"))
			return m
		}),
	}
}
