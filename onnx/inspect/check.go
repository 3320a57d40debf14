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
	findings := onnx.Check(m)
	problems, unknown := op.InferModel(m)
	for _, p := range problems {
		findings = append(findings, onnx.Finding{Severity: onnx.Error, Where: "node " + p.Node.String(), Rule: "types", Message: p.Err.Error()})
	}
	for _, name := range unknown {
		findings = append(findings, onnx.Finding{Severity: onnx.Warning, Where: "model", Rule: "unknown-operator",
			Message: fmt.Sprintf("operator %s has no rule here: its nodes are not checked", name)})
	}
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
