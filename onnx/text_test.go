package onnx

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"graft/onnx/internal/onnxpb"
)

// TestTextRoundTrip prints every node test in full and reads it back.
func TestTextRoundTrip(t *testing.T) {
	files, _ := filepath.Glob(filepath.Join(nodeTests(t), "*", "model.onnx"))
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		m, err := Decode(data)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Base(filepath.Dir(f))
		var b strings.Builder
		if err := m.WriteText(&b, TextOptions{Full: true}); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if strings.Contains(b.String(), "sparse_tensor = ...") {
			continue // the syntax has no sparse tensors
		}
		back, err := Parse(b.String())
		if err != nil {
			t.Errorf("%s: %v\n%s", name, err, b.String())
			continue
		}
		first, _ := m.Encode()
		second, err := back.Encode()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if d := textDifference(t, first, second); d != "" {
			t.Errorf("%s: %s\n%s", name, d, b.String())
		}
	}
}

func textDifference(t *testing.T, a, b []byte) string {
	var x, y onnxpb.ModelProto
	if err := errors.Join(proto.Unmarshal(a, &x), proto.Unmarshal(b, &y)); err != nil {
		t.Fatal(err)
	}
	for _, m := range []*onnxpb.ModelProto{&x, &y} {
		normalise(m.ProtoReflect())
		strip(m.ProtoReflect())
	}
	if proto.Equal(&x, &y) {
		return ""
	}
	return difference(x.ProtoReflect(), y.ProtoReflect(), "")
}

// strip removes what the syntax cannot say.
func strip(m protoreflect.Message) {
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch name := f.Name(); {
		case name == "doc_string" && m.Descriptor().Name() != "ModelProto", name == "denotation",
			name == "metadata_props" && m.Descriptor().Name() != "ModelProto":
			m.Clear(f)
		case f.Message() != nil && f.IsList():
			for i := range v.List().Len() {
				strip(v.List().Get(i).Message())
			}
		case f.Message() != nil:
			strip(v.Message())
		}
		return true
	})
}

func TestParseErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":                                     "1:1: expected a name",
		"g (float[2] x) => (y) { y = Relu x }": "1:34: expected (",
		"g (float[2] x) => (y) {\n  y = Relu (x)\n":                     "3:1: expected",
		"g (flaot[2] x) => (y) { y = Relu (x) }":                        `1:9: expected`,
		"g () => (y) <float[2] w = {1, a}> { y = Relu (w) }":            "1:31: expected a number",
		"g () => (y) <float[2] w = {...}> { y = Relu (w) }":             "elided",
		"g () => (y) <float[N] w = {1}> { y = Relu (w) }":               "sizes",
		"g () => (y) <int8[1] w = {1.5}> { y = Relu (w) }":              "does not fit int8",
		"g (x) => (y) { y = Cast <to: int = \"a\"> (x) }":               "declared int, the value is string",
		"g (x) => (y) { y = Cast <to = []> (x) }":                       "needs its type",
		"g (x) => (y) { y = Cast <to: float = [1]> (x) }":               "is a list",
		"g (x) => (y) { y = Cast <to = [1, \"a\"]> (x) }":               "a list of int holds string",
		"<ir_version: 10, colour: 3> g () => () {}":                     `1:18: unknown key "colour"`,
		"<ir_version: \"x> g () => () {}":                               "1:14: expected a number",
		"<producer_name: \"x> g () => () {}":                            "no end",
		"g (x) => (y) { y = Relu (z) }":                                 `"z", which nothing defines`,
		"g (x) => (y) { y = Relu (x) } g":                               "expected the end",
		strings.Repeat("g () => () { = If <a = ", 40):                   "32 deep",
		"g (" + strings.Repeat("seq(", 100) + "float) => () {}":         "32 deep",
		"g () => (w) <float[2] w = [\"location\": \"/etc/passwd\"]> {}": "another file",
	} {
		var err error
		if strings.HasPrefix(text, "<") {
			_, err = Parse(text)
		} else {
			_, err = ParseGraph(text)
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
	_, err := ParseGraph("g (x) => (y) {\n\ty = Relu [x)\n}")
	if want := "2:11: expected (\n\ty = Relu [x)\n\t         ^"; err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}

// TestTextElision checks what the short form leaves out, and that nothing reads it as if it were whole.
func TestTextElision(t *testing.T) {
	m := mustParse(t, `<ir_version: 10, opset_import: ["" : 21]>
		g (float[2] x) => (float[2] "odd name") <float[2] w = {1, -0.5}> { [my_add] "odd name" = Add (x, w) }`)
	want := `<
   ir_version: 10,
   opset_import: ["" : 21]
>
g (float[2] x) => (float[2] "odd name")
   <float[2] w = {1, -0.5}>
{
   [my_add] "odd name" = Add (x, w)
}
`
	if got := m.Text(); got != want {
		t.Errorf("got\n%s", got)
	}
	m.Graph.AddInitializer("big", NewTensor(Float, 100))
	if got := m.Text(); !strings.Contains(got, "float[100] big = {...}") {
		t.Errorf("got\n%s", got)
	}
	if _, err := Parse(m.Text()); err == nil || !strings.Contains(err.Error(), "elided") {
		t.Errorf("got %v", err)
	}
}

func mustParse(t testing.TB, text string) *Model {
	t.Helper()
	m, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return m
}
