package onnx

import (
	"bytes"
	"strings"
	"testing"
)

// TestContainerTypes: what sequences and optionals hold is read, kept to the byte, and written when inference learns it.
func TestContainerTypes(t *testing.T) {
	m, err := Parse(`<ir_version: 10, opset_import: ["" : 21]>
		g (seq(float[N,2]) s, optional(seq(int8)) o, map(int64, float[2]) k, optional(seq(map(int64, float[2]))) d) => (float[] y) {
			y = SequenceAt <t: type_proto = seq(float[2])> (s, i)
			i = Constant <value_int: int = 0> ()
			e = SequenceEmpty ()
		}`)
	if err != nil {
		t.Fatal(err)
	}
	first, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if m, err = Decode(first); err != nil {
		t.Fatal(err)
	}
	want := []string{"seq(float [N 2])", "optional(seq(int8 []))", "undefined [...]", "undefined [...]"}
	for i, v := range m.Graph.Inputs() {
		if got := v.Type.String(); got != want[i] || v.IsTensor() {
			t.Errorf("%s: %s, want %s", v.Name, got, want[i])
		}
	}
	if again, err := m.Encode(); err != nil || !bytes.Equal(first, again) {
		t.Errorf("the bytes change: %v", err)
	}
	e := m.Graph.Lookup("e")
	e.Type = SequenceOf(TensorType{})
	if again, err := m.Encode(); err != nil || !bytes.Equal(first, again) {
		t.Errorf("a sequence of nothing known is written: %v", err)
	}
	e.Type = OptionalOf(SequenceOf(TypeOf(Int64, 3)))
	m.Graph.Inputs()[2].Type = TypeOf(Float, 1) // no one can say that of a map
	again, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if m, err = Decode(again); err != nil {
		t.Fatal(err)
	}
	if got := m.Graph.Lookup("e").Type; !got.Equal(OptionalOf(SequenceOf(TypeOf(Int64, 3)))) {
		t.Errorf("read back: %v", got)
	}
	if m.Graph.Inputs()[2].IsTensor() {
		t.Error("the map became a tensor")
	}
}

// TestContainersInContainers: types nested deeper than the standard has them are carried along unread.
func TestContainersInContainers(t *testing.T) {
	const deep = 20
	m, err := Parse(`<ir_version: 10, opset_import: ["" : 21]> g (` + strings.Repeat("seq(", deep) + "float[2]" + strings.Repeat(")", deep) + ` s) => (s) {}`)
	if err != nil {
		t.Fatal(err)
	}
	first, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if v := m.Graph.Inputs()[0]; v.IsTensor() || v.Type.Of != nil {
		t.Errorf("read as %v", v.Type)
	}
	if m, err = Decode(first); err != nil {
		t.Fatal(err)
	}
	if again, err := m.Encode(); err != nil || !bytes.Equal(first, again) {
		t.Errorf("the bytes change: %v", err)
	}
}
