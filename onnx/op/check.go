package op

import (
	"fmt"
	"slices"
	"strings"

	"graft/onnx"
)

// Check holds the nodes of m against the operator table: attributes and their types, the number of inputs and outputs, and
// the types that the rules infer against those that the file states. An operator without a row, or in a form older than
// the table's, gets no error. It complements onnx.Check, which looks at the structure. m is not changed.
func Check(m *onnx.Model) []onnx.Finding {
	c := checker{opset: m.Opset(""), unknown: map[string]int{}}
	c.graph(m.Clone().Graph, "graph", 0)
	for _, name := range c.order {
		c.findings = append(c.findings, onnx.Finding{Severity: onnx.Warning, Where: "graph", Rule: "operator",
			Message: fmt.Sprintf("%q (%d nodes) is not in the operator table: not checked", name, c.unknown[name])})
	}
	return c.findings
}

type checker struct {
	opset    int64
	findings []onnx.Finding
	unknown  map[string]int
	order    []string // of unknown, as met
}

func (c *checker) report(s onnx.Severity, where, rule, format string, args ...any) {
	const most = 1000
	if len(c.findings) < most {
		c.findings = append(c.findings, onnx.Finding{Severity: s, Where: where, Rule: rule, Message: fmt.Sprintf(format, args...)})
	}
}

func (c *checker) graph(g *onnx.Graph, where string, depth int) {
	if depth > maxGraphs || g.Cycle() != nil {
		return // the structure's check says so
	}
	for _, n := range g.Nodes() {
		here := where + ": node " + n.String()
		seedBody(n)
		for _, sub := range n.Subgraphs() {
			c.graph(sub, here, depth+1)
		}
		s := rowOf(n)
		if s == nil {
			name := n.Op
			if !n.Is(n.Op) {
				name = n.Domain + "::" + n.Op
			}
			if c.unknown[name]++; c.unknown[name] == 1 {
				c.order = append(c.order, name)
			}
			continue
		}
		if s.Since > c.opset {
			continue
		}
		c.attributes(n, s, here)
		c.types(n, here)
	}
}

func (c *checker) attributes(n *onnx.Node, s *Schema, where string) {
	for _, a := range n.Attrs {
		switch {
		case !slices.Contains(s.Attributes, a.Name):
			severity := onnx.Error
			if c.opset > Opset {
				severity = onnx.Warning // it may be younger than the table
			}
			c.report(severity, where, "attribute", "%s has no attribute %q; it knows %s", n.Op, a.Name, or(strings.Join(s.Attributes, ", "), "none"))
		case a.Ref != "":
		case kindOf(a.Value) != attributeKinds[a.Name] && attributeKinds[a.Name] != "":
			c.report(onnx.Error, where, "attribute", "%q is %s, %s wants %s", a.Name, kindOf(a.Value), n.Op, attributeKinds[a.Name])
		}
	}
}

func (c *checker) types(n *onnx.Node, where string) {
	types, err := Infer(n)
	if err != nil {
		c.report(onnx.Error, where, "inference", "%v", err)
		return
	}
	for i, t := range types {
		v := n.Output(i)
		if v == nil {
			continue
		}
		merged, err := mergeTypes(t, v.Type)
		if err != nil {
			c.report(onnx.Error, where, "inference", "output %d, %q, is %v, the file says %v", i, v.Name, t, v.Type)
			continue
		}
		v.Type = merged
	}
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func kindOf(v any) string {
	switch v.(type) {
	case int64:
		return "int"
	case []int64:
		return "ints"
	case float32:
		return "float"
	case []float32:
		return "floats"
	case string:
		return "string"
	case []string:
		return "strings"
	case *onnx.Tensor:
		return "tensor"
	case *onnx.Graph:
		return "graph"
	}
	return "another type"
}

// attributeKinds is the type of an attribute by its name: over the operators and opsets of the table a name has one.
var attributeKinds = func() map[string]string {
	kinds := map[string]string{}
	for kind, names := range map[string]string{
		"int": `allowzero antialias axis batch_dims block_size blocksize ceil_mode chunk_size count_include_pad detect_negative
			detect_positive dtype end exclude_outside exclusive fmod group hidden_size ignore_index input_forget interleaved is_causal k keepdims kv_num_heads
			largest layout left_window_size linear_before_reset num_heads num_scan_inputs noop_with_empty_axes num_groups num_outputs output_dtype p precision q_num_heads qk_matmul_output_mode reverse right_window_size rotary_embedding_dim saturate seed
			select_last_index size softmax_precision sorted spatial start stash_type storage_order to training_mode transA transB upper value_int`,
		"ints": `axes dilations ends kernel_shape output_padding output_shape pads perm scan_input_axes scan_input_directions scan_output_axes
			scan_output_directions shape split starts strides value_ints`,
		"float":  "alpha beta bias clip cubic_coeff_a epsilon extrapolation_value gamma max min momentum ratio scale softcap value_float",
		"floats": "activation_alpha activation_beta scales value_floats",
		"string": `activation approximate auto_pad coordinate_transformation_mode direction equation keep_aspect_ratio_policy mode nearest_mode
			reduction round_mode update_rule value_string`,
		"strings": "activations value_strings",
		"tensor":  "value",
		"graph":   "body else_branch then_branch",
	} {
		for name := range strings.FieldsSeq(names) {
			kinds[name] = kind
		}
	}
	return kinds
}()
