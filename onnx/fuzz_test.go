package onnx

import "testing"

// FuzzDecode: what is read can be checked, printed and written, and what is written is read again as the same bytes.
func FuzzDecode(f *testing.F) {
	f.Add(marshal(f, goodModel()))
	f.Add(marshal(f, richModel(f)))
	for _, m := range hiding(externalTensor("x", []int64{4}, "location", "../secret")) {
		f.Add(marshal(f, m))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := Decode(data)
		if err != nil {
			mustRefuse(t, err, "")
			return
		}
		Check(m)
		_ = m.Text()
		first, err := m.Encode()
		if err != nil {
			t.Fatal(err)
		}
		again, err := Decode(first)
		if err != nil {
			t.Fatalf("what was written is refused: %v", err)
		}
		second, err := again.Encode()
		if err != nil || string(first) != string(second) {
			t.Fatalf("the second encoding differs (%v)", err)
		}
	})
}

// FuzzParse: what is parsed prints as text that parses to the same model.
func FuzzParse(f *testing.F) {
	f.Add(`<ir_version: 10, opset_import: ["" : 21]> g (float[N] x) => (y) <float[2] w = {1, 2}> { [n] y = a.b.Op:o <k = 1> (x, "", w) }`)
	f.Add(mustDecode(f, marshal(f, richModel(f))).Text())
	f.Fuzz(func(t *testing.T, text string) {
		m, err := Parse(text)
		if err != nil {
			return
		}
		Check(m)
		if _, err := m.Encode(); err != nil {
			t.Fatal(err)
		}
	})
}

func mustDecode(t testing.TB, data []byte) *Model {
	t.Helper()
	m, err := Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	return m
}
