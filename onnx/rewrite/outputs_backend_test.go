package rewrite_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"graft/onnx"
	"graft/onnx/onnxtest"
	"graft/onnx/op"
	"graft/runtime"
	"graft/runtime/runtimetest"
)

// drawn are cases whose results are random: of these types alone are held.
var drawn = []string{"test_bernoulli", "test_bernoulli_double", "test_bernoulli_seed", "test_training_dropout"}

// TestBackendNodeOutputs reads ONNX's recorded node tests, writes them again, and holds what ONNX Runtime makes of them to the
// recorded outputs. What it does not run as the file has it, or does not give as recorded either, is refused by it.
func TestBackendNodeOutputs(t *testing.T) {
	o := runtimetest.Options(t)
	o.Threads = 1
	passed, refused, failed, random, cases := 0, 0, 0, 0, onnxtest.NodeCases(t)
	for _, c := range cases {
		m, err := c.Model()
		if err != nil {
			t.Errorf("%s: %v", c.Name, err)
			failed++
			continue
		}
		err = runCase(c, m, o)
		var differs *departure
		switch {
		case err == nil:
			passed++
			continue
		case errors.As(err, &differs) && slices.ContainsFunc(drawn, func(name string) bool { return strings.HasPrefix(c.Name, name) }):
			if !differs.types {
				passed, random = passed+1, random+1
				continue
			}
		}
		if why := refusal(c, m, err, o); why != "" {
			refused++
			t.Logf("%s: %s", c.Name, why)
			continue
		}
		failed++
		t.Errorf("%s: %v", c.Name, err)
	}
	t.Logf("%d random ones are held by their types", random)
	t.Logf("%d passed, %d refused, %d failed of %d cases", passed, refused, failed, len(cases))
}

// refusal says what the runtime has against the file as it is: it does not open it, or gives what it gave for the file that was
// written, which is not what is recorded. Empty: nothing.
func refusal(c onnxtest.Case, m *onnx.Model, got error, o runtime.Options) string {
	data, err := os.ReadFile(filepath.Join(c.Dir, "model.onnx"))
	if err != nil {
		return ""
	}
	s, err := runtime.Open(data, o)
	if err != nil {
		return err.Error()
	}
	defer s.Close()
	for _, v := range append(m.Graph.Inputs(), m.Graph.Outputs()...) {
		if v.Type.Of != nil {
			return "" // what is no tensor is not given to the file as it is
		}
	}
	inputs, outputs, err := c.Values(m)
	if err != nil {
		return ""
	}
	feeds := map[string]*onnx.Tensor{}
	for i, p := range s.Inputs() {
		feeds[p.Name] = as(inputs[i].Tensor, p.Type.DType)
	}
	results, err := s.Run(context.Background(), feeds)
	if err != nil {
		return err.Error()
	}
	for i, v := range m.Graph.Outputs() {
		if err := onnxtest.Compare(results[v.Name], as(outputs[i].Tensor, results[v.Name].DType), 1e-5, 1e-3); err != nil {
			if err := fmt.Errorf("output %q: %w", v.Name, err); err.Error() == got.Error() {
				return "gives other numbers: " + err.Error()
			}
			return ""
		}
	}
	return ""
}

// departure is an output that is not as recorded.
type departure struct {
	types bool // of another type
	error
}

// runCase runs what graft writes of a model, its sequences and optionals made of tensors and taken apart again.
func runCase(c onnxtest.Case, m *onnx.Model, o runtime.Options) error {
	inputs, outputs, err := c.Values(m)
	if err != nil {
		return err
	}
	m = m.Clone()
	m.Graph.AssignNames()
	b, feeds := op.NewBuilder(m.Graph), map[string]*onnx.Tensor{}
	for i, v := range slices.DeleteFunc(m.Graph.Inputs(), (*onnx.Value).IsInitializer) {
		if v.Type.Of == nil {
			feeds[v.Name] = as(inputs[i].Tensor, v.Type.DType)
			continue
		}
		if err := m.Graph.ReplaceUses(v, container(b, v, inputs[i], feeds)); err != nil {
			return err
		}
		if err := m.Graph.RemoveInput(v); err != nil {
			return err
		}
	}
	wants := map[string]*onnx.Tensor{}
	var order []string
	results := m.Graph.Outputs()
	m.Graph.SetOutputs()
	want := func(v *onnx.Value, name string, x *onnx.Tensor) {
		if v.Producer() == nil || v.Name != name {
			v = b.Identity(v)
		}
		m.Graph.AddOutput(v, name)
		wants[name], order = x, append(order, name)
	}
	for i, v := range results {
		unpack(b, v, v.Type, v.Name, outputs[i], want)
	}
	if err := b.Err(); err != nil {
		return err
	}
	got, err := runWritten(m, feeds, o)
	if err != nil {
		return err
	}
	for _, name := range order {
		want := as(wants[name], got[name].DType)
		if err := onnxtest.Compare(got[name], want, 1e-5, 1e-3); err != nil {
			return &departure{!slices.Equal(got[name].Dims, want.Dims) || got[name].DType != want.DType, fmt.Errorf("output %q: %w", name, err)}
		}
	}
	return nil
}

// as reads 16-bit patterns as what they stand for: recorded files hold bfloat16 as uint16.
func as(t *onnx.Tensor, d onnx.DataType) *onnx.Tensor {
	if t != nil && t.DType == onnx.Uint16 && d == onnx.BFloat16 {
		t = t.Clone()
		t.DType = d
	}
	return t
}

// container makes a sequence or an optional of tensors, which become inputs.
func container(b *op.Builder, v *onnx.Value, r onnxtest.Recorded, feeds map[string]*onnx.Tensor) *onnx.Value {
	tensor := func(x *onnx.Tensor, i int) *onnx.Value {
		name := fmt.Sprintf("%s.%d", v.Name, i)
		feeds[name] = x
		return b.Graph().AddInput(name, x.Type())
	}
	t, optional := v.Type, v.Type.Of.Kind == onnx.Optional
	if optional {
		t = t.Of.Elem
	}
	var made *onnx.Value
	switch {
	case r.Absent:
		return b.Node("Optional", nil, 1, onnx.Attr{Name: "type", Value: t})[0]
	case r.Tensor != nil:
		made = tensor(r.Tensor, 0)
	case len(r.Sequence) == 0:
		made = b.Node("SequenceEmpty", nil, 1, onnx.Int("dtype", int64(t.Of.Elem.DType)))[0]
	default:
		var parts []*onnx.Value
		for i, x := range r.Sequence {
			parts = append(parts, tensor(x, i))
		}
		made = b.Node("SequenceConstruct", parts, 1)[0]
	}
	if optional {
		made = b.Node("Optional", []*onnx.Value{made}, 1)[0]
	}
	return made
}

// unpack makes outputs of what a value holds, and says what each must be.
func unpack(b *op.Builder, v *onnx.Value, t onnx.TensorType, name string, r onnxtest.Recorded, want func(*onnx.Value, string, *onnx.Tensor)) {
	switch {
	case t.Of == nil:
		want(v, name, r.Tensor)
	case t.Of.Kind == onnx.Optional:
		want(b.Node("OptionalHasElement", []*onnx.Value{v}, 1)[0], name+".there", onnx.Scalar(!r.Absent))
		if !r.Absent {
			unpack(b, b.Node("OptionalGetElement", []*onnx.Value{v}, 1)[0], t.Of.Elem, name+".held", r, want)
		}
	default:
		want(b.Node("SequenceLength", []*onnx.Value{v}, 1)[0], name+".length", onnx.Scalar(int64(len(r.Sequence))))
		for i, x := range r.Sequence {
			want(b.Node("SequenceAt", []*onnx.Value{v, b.Const(onnx.Scalar(int64(i)))}, 1)[0], fmt.Sprintf("%s.%d", name, i), x)
		}
	}
}
