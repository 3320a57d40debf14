package inspect

import (
	"fmt"

	"graft/onnx"
	"graft/onnx/op"
)

// Check is onnx.Check with what the operators ask of their inputs: every node whose types contradict its operator, or what
// the file says of its outputs, is an error; an operator without a rule is a warning, for nobody has looked at it. The
// types of m's values are inferred in place.
func Check(m *onnx.Model) []onnx.Finding {
	findings := append(onnx.Check(m), shapeless(m)...)
	problems, unknown := op.InferModel(m)
	if len(problems) > 0 {
		places := places(m)
		for _, p := range problems {
			findings = append(findings, onnx.Finding{Severity: onnx.Error, Where: places[p.Node], Rule: "types", Message: p.Err.Error()})
		}
	}
	findings = append(findings, standard(m)...)
	for _, name := range unknown {
		findings = append(findings, onnx.Finding{Severity: onnx.Warning, Where: "model", Rule: "unknown-operator",
			Message: fmt.Sprintf("operator %s has no rule here: its nodes are not checked", name)})
	}
	return findings
}

// places says where each node of m is.
func places(m *onnx.Model) map[*onnx.Node]string {
	all := map[*onnx.Node]string{}
	var walk func(g *onnx.Graph, where string)
	walk = func(g *onnx.Graph, where string) {
		for _, n := range g.Nodes() {
			all[n] = where + ": node " + n.String()
			for _, sub := range n.Subgraphs() {
				walk(sub, all[n])
			}
		}
	}
	walk(m.Graph, "graph")
	for _, f := range m.Functions() {
		walk(f.Body, "function "+f.Domain+"."+f.Name)
	}
	return all
}

// shapeless warns of inputs and outputs of the main graph that have no shape: runtimes take them, onnx.checker does not.
func shapeless(m *onnx.Model) (findings []onnx.Finding) {
	if m.Graph == nil {
		return nil
	}
	warn := func(list []*onnx.Value, what string) {
		for _, v := range list {
			if v.IsTensor() && v.Type.DType != onnx.Undefined && v.Type.Shape == nil {
				findings = append(findings, onnx.Finding{Severity: onnx.Warning, Where: "graph: " + what + " " + v.Name, Rule: "shape",
					Message: "it has no shape: onnx.checker refuses that, runtimes do not"})
			}
		}
	}
	warn(m.Graph.Inputs(), "input")
	warn(m.Graph.Outputs(), "output")
	return findings
}

// Valid reports whether no finding is an error.
func Valid(findings []onnx.Finding) bool {
	for _, f := range findings {
		if f.Severity == onnx.Error {
			return false
		}
	}
	return true
}
