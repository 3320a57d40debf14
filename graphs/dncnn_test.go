package graphs

import (
	"testing"

	"graft/onnx/op"
)

// TestDnCNN: the published count of parameters, of pictures of any size.
func TestDnCNN(t *testing.T) {
	m, err := DnCNN{}.Build(1)
	if err != nil {
		t.Fatal(err)
	}
	n := int64(0)
	for _, v := range m.Graph.Initializers() {
		n += v.Const.Len()
	}
	if n != 555_137 || m.Graph.Lookup("model.32.weight") == nil {
		t.Errorf("%d parameters, want 555,137", n)
	}
	if err := op.InferGraph(m.Graph); err != nil {
		t.Error(err)
	}
	if y := m.Graph.Outputs()[0].Type.Shape.String(); y != "[N 1 H W]" {
		t.Errorf("output %s", y)
	}
	if _, err := (DnCNN{Layers: 1}).Build(1); err == nil {
		t.Error("a network of one layer")
	}
}
