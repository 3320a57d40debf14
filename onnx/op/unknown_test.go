package op

import (
	"testing"

	"graft/onnx"
)

// TestUnknownsAreNamed: what is not known before the graph runs has a name, another for each node that makes one; names stay
// when the graph is inferred again.
func TestUnknownsAreNamed(t *testing.T) {
	g := onnx.NewGraph("g")
	x, k := g.AddInput("x", parseType("float [N 3]")), g.AddInput("k", parseType("int64 [1]"))
	other := g.AddInput("other", parseType("float [unk_7]"))
	found := g.Add("NonZero", []*onnx.Value{x}, 1).Output(0)
	found2 := g.Add("NonZero", []*onnx.Value{x}, 1).Output(0)
	top := g.Add("TopK", []*onnx.Value{x, k}, 2)
	sum := g.Add("Add", []*onnx.Value{found, found}, 1).Output(0)
	mixed := g.Add("Add", []*onnx.Value{found, found2}, 1).Output(0)
	for range 2 {
		if err := InferGraph(g); err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			v    *onnx.Value
			want string
		}{
			{found, "int64 [2 unk_8]"}, {found2, "int64 [2 unk_9]"}, {top.Output(0), "float [N unk_10]"}, {top.Output(1), "int64 [N unk_10]"},
			{sum, "int64 [2 unk_8]"}, {mixed, "int64 [2 unk_11]"}, {other, "float [unk_7]"},
		} {
			if got := c.v.Type.String(); got != c.want {
				t.Errorf("%v: %s, want %s", c.v.Producer(), got, c.want)
			}
		}
	}
}
