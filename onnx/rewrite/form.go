package rewrite

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"graft/onnx"
	"graft/onnx/op"
)

// fit takes off attributes that say what holds without them where f does not know them, and says what else keeps n, which has
// the form now, from having the form f.
func fit(n *onnx.Node, now, f *op.Form) error {
	if n.NumInputs() > f.MaxIn && f.MaxIn >= 0 || n.NumInputs() < f.MinIn {
		return fmt.Errorf("%d inputs, the form of opset %d has %s", n.NumInputs(), f.Since, op.Span(f.MinIn, f.MaxIn))
	}
	if n.NumOutputs() > f.MaxOut && f.MaxOut >= 0 {
		return fmt.Errorf("%d outputs, the form of opset %d has at most %d", n.NumOutputs(), f.Since, f.MaxOut)
	}
	for _, a := range slices.Clone(n.Attrs) {
		if _, known := f.Attribute(a.Name); known {
			continue
		}
		if formal, _ := now.Attribute(a.Name); !formal.HasDefault || a.Ref != "" || attrText(a) != formal.Default {
			return fmt.Errorf("the attribute %s = %s came after opset %d", a.Name, attrText(a), f.Since)
		}
		removeAttr(n, a.Name)
	}
	for i, v := range n.Inputs() {
		if err := takes(f.Inputs, i, v); err != nil {
			return fmt.Errorf("input %d: %w in the form of opset %d", i, err, f.Since)
		}
	}
	for i, v := range n.Outputs() {
		if err := takes(f.Outputs, i, v); err != nil {
			return fmt.Errorf("output %d: %w in the form of opset %d", i, err, f.Since)
		}
	}
	return nil
}

// takes says whether the i-th formal takes v's element type.
func takes(formals []op.Formal, i int, v *onnx.Value) error {
	formal, ok := op.FormalAt(formals, i)
	if !ok || len(formal.Elements) == 0 || v == nil || !v.IsTensor() || v.Type.DType == onnx.Undefined || slices.Contains(formal.Elements, v.Type.DType) {
		return nil
	}
	return fmt.Errorf("%v is not taken", v.Type.DType)
}

// attrText is an attribute's value as op.FormalAttribute writes defaults.
func attrText(a onnx.Attr) string {
	switch v := a.Value.(type) {
	case int64:
		return strconv.FormatInt(v, 10)
	case float32:
		return strconv.FormatFloat(float64(v), 'g', 6, 32)
	case string:
		return v
	case []int64:
		parts := make([]string, len(v))
		for i, n := range v {
			parts[i] = strconv.FormatInt(n, 10)
		}
		return strings.Join(parts, ",")
	case []float32, []string:
		return strings.Trim(strings.ReplaceAll(fmt.Sprint(v), " ", ","), "[]")
	case *onnx.Tensor:
		return v.Type().String()
	}
	return fmt.Sprintf("(%T)", a.Value)
}
