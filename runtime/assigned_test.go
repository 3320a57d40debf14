//go:build cgo

package runtime_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"graft/onnx"
	"graft/runtime"
	"graft/runtime/runtimetest"
)

// TestAssigned reads where nodes run from ONNX Runtime itself, those of a branch too.
func TestAssigned(t *testing.T) {
	o := runtimetest.Options(t)
	o.Config = map[string]string{runtime.RecordAssignments: "1"}
	o.Optimization = runtime.OptimizeNone
	s, err := runtime.Open(branching(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	list, err := s.Assigned()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%q", list)
	provider := s.Provider()
	if provider == runtime.CPU && !slices.ContainsFunc(list, func(n string) bool { return strings.HasPrefix(n, provider+" Tan ") }) {
		t.Errorf("the branch's Tan is not among %q", list)
	}
	if p := s.Placement(); p.Provider != provider {
		t.Errorf("%+v", p)
	}
}

// branching gives tan(x) + 1 or x + 1 for c.
func branching() []byte {
	branch := func(name string, nodes ...[]byte) []byte {
		return message(append(nodes, str(2, name), output(name, onnx.Float, 1))...)
	}
	attribute := func(name string, graph []byte) []byte { // of type GRAPH
		return sub(5, str(1, name), num(20, 5), sub(6, graph))
	}
	choose := sub(1, str(1, "c"), str(2, "b"), str(4, "If"),
		attribute("then_branch", branch("t", node("Tan", []string{"x"}, []string{"t"}))),
		attribute("else_branch", branch("e", node("Identity", []string{"x"}, []string{"e"}))))
	return model(choose, node("Add", []string{"b", "one"}, []string{"y"}), initializer("one", onnx.FromSlice([]float32{1})),
		input("c", onnx.Bool), input("x", onnx.Float, 1), output("y", onnx.Float, 1))
}

// TestMemoryRunsOut asks for 2^60 bytes.
func TestMemoryRunsOut(t *testing.T) {
	o := runtimetest.Options(t)
	o.Provider = ""
	s, err := runtime.Open(model(node("ConstantOfShape", []string{"dims"}, []string{"y"}),
		input("dims", onnx.Int64, 2), value(12, "y", onnx.Float, nil)), o)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	_, err = s.Run(context.Background(), feeds{"dims": onnx.FromSlice([]int64{1 << 29, 1 << 29})})
	var full *runtime.MemoryError
	if !errors.As(err, &full) || full.Requested < 1<<60 || full.Operator != "ConstantOfShape" {
		t.Errorf("%v: %+v", err, full)
	}
}
