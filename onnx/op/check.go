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
	c := checker{opset: m.Opset(""), unknown: map[string]int{}, seen: map[*onnx.Node]bool{}, where: map[*onnx.Graph]string{}}
	g, f := m.Clone().Graph, facts{}
	defer f.forget()
	c.where[g] = "graph"
	c.walk = walk{facts: &f, enter: c.enter, node: c.node}
	_ = c.walk.graph(g, 0) // graphs that nest too deep are the structure's check to name
	for _, name := range c.order {
		c.findings = append(c.findings, onnx.Finding{Severity: onnx.Warning, Where: "graph", Rule: "operator",
			Message: fmt.Sprintf("%q (%d nodes) is not in the operator table: not checked", name, c.unknown[name])})
	}
	return c.findings
}

type checker struct {
	walk
	opset    int64
	findings []onnx.Finding
	unknown  map[string]int
	order    []string            // of unknown, as met
	seen     map[*onnx.Node]bool // a body may be visited again
	where    map[*onnx.Graph]string
}

func (c *checker) report(s onnx.Severity, where, rule, format string, args ...any) {
	const most = 1000
	if len(c.findings) < most {
		c.findings = append(c.findings, onnx.Finding{Severity: s, Where: where, Rule: rule, Message: fmt.Sprintf(format, args...)})
	}
}

func (c *checker) enter(n *onnx.Node) {
	for _, sub := range n.Subgraphs() {
		c.where[sub] = c.where[n.Graph()] + ": node " + n.String()
	}
}

func (c *checker) node(n *onnx.Node) error {
	where, again := c.where[n.Graph()]+": node "+n.String(), c.seen[n]
	c.seen[n] = true
	s := rowOf(n)
	switch {
	case s == nil && !again:
		name := n.Op
		if !n.Is(n.Op) {
			name = n.Domain + "::" + n.Op
		}
		if c.unknown[name]++; c.unknown[name] == 1 {
			c.order = append(c.order, name)
		}
	case s == nil || s.Since > c.opset:
	default:
		if !again {
			c.attributes(n, s, where)
		}
		c.types(n, where, again)
	}
	return nil
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
		case kindOf(a.Value) != attributeKind(n.Op, a.Name) && attributeKind(n.Op, a.Name) != "":
			c.report(onnx.Error, where, "attribute", "%q is %s, %s wants %s", a.Name, kindOf(a.Value), n.Op, attributeKind(n.Op, a.Name))
		}
	}
}

func (c *checker) types(n *onnx.Node, where string, again bool) {
	quiet := again || c.dead > 0
	types, err := Infer(n)
	if err != nil {
		if quiet {
			return
		}
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
			if quiet {
				continue
			}
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
	case onnx.TensorType:
		return "type"
	}
	return "another type"
}

// attributeKind is the type of an operator's attribute.
func attributeKind(op, name string) string {
	if kind, ok := attributeKinds[op+"."+name]; ok {
		return kind
	}
	return attributeKinds[name]
}

// attributeKinds is the type of an attribute by its name: over the operators and opsets of the table a name has one, with
// the exceptions written "Operator.name".
var attributeKinds = func() map[string]string {
	kinds := map[string]string{}
	for kind, names := range map[string]string{
		"int": `allowzero antialias axis batch_dims block_size blocksize ceil_mode center_point_box chunk_size count_include_pad detect_negative
			detect_positive dtype end exclude_outside exclusive fmod group hidden_size ignore_index input_forget interleaved is_case_sensitive is_causal k keepdims kv_num_heads
			largest layout left_window_size linear_before_reset max_gram_length max_skip_count maxsplit min_gram_length new_axis noop_with_empty_axes
			num_groups num_heads num_outputs num_scan_inputs output_datatype output_dtype p periodic precision q_num_heads qk_matmul_output_mode reverse right_window_size rotary_embedding_dim sample_size saturate Dropout.seed
			select_last_index size softmax_precision sorted spatial start stash_type storage_order to training_mode transA transB upper value_int`,
		"ints": `axes dilations directions ends kernel_shape ngram_counts ngram_indexes output_padding output_shape pads perm pool_int64s
			scan_input_axes scan_input_directions scan_output_axes scan_output_directions shape split starts strides value_ints`,
		"float":  "alpha beta bias clip cubic_coeff_a epsilon extrapolation_value gamma high low max mean min momentum ratio scale seed value_float",
		"floats": "activation_alpha activation_beta scales value_floats weights",
		"string": `activation approximate auto_pad case_change_action coordinate_transformation_mode delimiter direction equation
			keep_aspect_ratio_policy locale mode nearest_mode pattern pixel_format reduction round_mode update_rule value_string`,
		"strings": "activations pool_strings stopwords value_strings",
		"tensor":  "value",
		"graph":   "body else_branch then_branch",
		"type":    "type",
	} {
		for name := range strings.FieldsSeq(names) {
			kinds[name] = kind
		}
	}
	return kinds
}()
