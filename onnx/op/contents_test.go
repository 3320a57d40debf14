package op

import (
	"testing"

	"graft/onnx"
)

// TestInferContents: what shapes say is known by numbers or by the names of dimensions; two values that hold the same have
// one key.
func TestInferContents(t *testing.T) {
	m, err := onnx.Parse(`<ir_version: 8, opset_import: ["" : 11]>
g (float[N,2,M] x, float[N,2,M] z) => (float[a,b] y) <int64 zero = {0}, int64[1] r = {-1}> {
s = Shape(x)
t = Shape(z)
e = Exp(x)
n = Gather(s, zero)
u = Unsqueeze<axes = [0]>(n)
d = Concat<axis = 0>(u, r)
c = Cast<to = 6>(d)
k = Slice<starts = [1], ends = [2]>(t)
f = Cast<to = 1>(s)
y = Reshape(e, d)
}`)
	if err != nil {
		t.Fatal(err)
	}
	contents := InferContents(m)
	of := func(name string) Content { return contents[m.Graph.Lookup(name)] }
	if of("s").Key == "" || of("s") != of("t") {
		t.Errorf("shapes: %q and %q", of("s").Key, of("t").Key)
	}
	for name, want := range map[string]string{"s": `7[3 "N" 2 "M"`, "n": `7 "N"`, "u": `7[1 "N"`, "d": `7[2 "N" -1`, "c": `6[2 "N" -1`, "e": "", "f": "", "y": ""} {
		if got := of(name).Key; got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if m.Opset("") == 11 && of("k").Tensor != nil {
		if got := of("k").Tensor.Int64s(); len(got) != 1 || got[0] != 2 {
			t.Errorf("k: %v", got)
		}
	}
	if of("d").Tensor != nil || m.Graph.Lookup("s").Scratch != nil {
		t.Error("a tensor of names, or notes that stay")
	}
}
