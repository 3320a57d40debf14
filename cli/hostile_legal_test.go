package cli

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"graft/onnx"
	"graft/onnx/limits/limitstest"
	"graft/runtime/runtimetest"
)

// legal is a model that a file may hold, made to cost whoever works on it dear.
type legal struct {
	id    string
	wrong bool   // its graph cannot be
	text  string // a graph from x to y
}

// repeatedNodes is n times a line with a number in it.
func repeatedNodes(n int, node string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, node+"\n", i)
	}
	return b.String()
}

// legalModels are of O17 to O22.
var legalModels = []legal{
	{"O17 Conv kernel shorter than rank", true, `a (float[1,1,8,8] x) => (float[a,b,c,d] y) <float[1,1,3,3] w = {1,1,1,1,1,1,1,1,1}> {y = Conv <kernel_shape = [3]> (x, w)}`},
	{"O17 Conv strides, pads, dilations shorter", true, `a (float[1,1,8,8] x) => (float[a,b,c,d] y) <float[1,1,3,3] w = {1,1,1,1,1,1,1,1,1}> {y = Conv <strides = [1], pads = [1], dilations = [1]> (x, w)}`},
	{"O17 Conv stride 0", true, `a (float[1,1,8,8] x) => (float[a,b,c,d] y) <float[1,1,3,3] w = {1,1,1,1,1,1,1,1,1}> {y = Conv <strides = [0, 0]> (x, w)}`},
	{"O17 MaxPool kernel 2^62", true, `a (float[1,1,8,8] x) => (float[a,b,c,d] y) {y = MaxPool <kernel_shape = [4611686018427387904, 4611686018427387904], pads = [4611686018427387904, 4611686018427387904, 4611686018427387904, 4611686018427387904]> (x)}`},
	{"O17 AveragePool stride 0, short pads", true, `a (float[1,1,8,8] x) => (float[a,b,c,d] y) {y = AveragePool <kernel_shape = [2, 2], strides = [0, 0], pads = [1]> (x)}`},
	{"O18 Slice of nothing", true, `a (float[2] x) => (float[n] y) <int64[0] none = {}, int64[1] one = {1}, int64[1] zero = {0}> {e = Slice (x, zero, zero)  s = Slice (e, none, none, none, none)  y = Slice (s, one, zero, zero, zero)}`},
	{"O18 Scan of more inputs than there are", true, `a (float[2] x) => (float[n] y) {y = Scan <num_scan_inputs = 9, body = b (float i) => (float o) {o = Identity (i)}> (x)}`},
	{"O18 Scan of -1 inputs", true, `a (float[2] x) => (float[n] y) {y = Scan <num_scan_inputs = -1, body = b (float i) => (float o) {o = Identity (i)}> (x)}`},
	{"O18 RNN of a scalar", true, `a (float x) => (float[n] y) <float[1,2,2] w = {1,1,1,1}, float[1,2,2] r = {1,1,1,1}> {y, h = RNN <hidden_size = 2> (x, w, r)}`},
	{"O18 Squeeze axis -2^63", true, `a (float[2] x) => (float[n] y) <int64[1] axis = {-9223372036854775808}> {y = Squeeze (x, axis)}`},
	{"O18 Unsqueeze axis 2^62", true, `a (float[2] x) => (float[n] y) <int64[1] axis = {4611686018427387904}> {y = Unsqueeze (x, axis)}`},
	{"O19 ConstantOfShape", false, `a (float[2] x) => (float[2] y) <int64[3] s = {1048576, 1048576, 4}> {c = ConstantOfShape (s)  r = ReduceSum <keepdims = 0> (c)  y = Add (x, r)}`},
	{"O19 rank 2^30", true, `a (float[2] x) => (float[2] y) <int64[1] s = {1073741824}> {c = ConstantOfShape <value = int64[1] {1}> (s)  e = ConstantOfShape (c)  r = ReduceSum <keepdims = 0> (e)  y = Add (x, r)}`},
	{"O19 Expand", false, `a (float[2] x) => (float[2] y) <int64[2] s = {1099511627776, 4}, float[1] one = {1}> {c = Expand (one, s)  r = ReduceSum <keepdims = 0> (c)  y = Add (x, r)}`},
	{"O19 Tile", false, `a (float[2] x) => (float[2] y) <int64[1] s = {4398046511104}, float[1] one = {1}> {c = Tile (one, s)  r = ReduceSum <keepdims = 0> (c)  y = Add (x, r)}`},
	{"O19 Range", true, `a (float[2] x) => (float[2] y) <float zero = {0}, float end = {1e15}, float step = {1}> {c = Range (zero, end, step)  r = ReduceSum <keepdims = 0> (c)  y = Add (x, r)}`},
	{"O19 Range of integers", true, `a (float[2] x) => (float[2] y) <int64 zero = {0}, int64 end = {9223372036854775807}, int64 step = {1}> {c = Range (zero, end, step)  d = Cast <to = 1> (c)  r = ReduceSum <keepdims = 0> (d)  y = Add (x, r)}`},
	{"O19 Pad", false, `a (float[2] x) => (float[2] y) <int64[2] p = {4398046511104, 0}, float[1] one = {1}> {c = Pad (one, p)  r = ReduceSum <keepdims = 0> (c)  y = Add (x, r)}`},
	{"O19 Resize", false, `a (float[2] x) => (float[2] y) <float[1,1,1,1] one = {1}, int64[4] s = {1, 1, 1048576, 1048576}> {c = Resize (one, "", "", s)  r = ReduceSum <keepdims = 0> (c)  y = Add (x, r)}`},
	{"O19 OneHot", false, `a (float[2] x) => (float[2] y) <int64[1] i = {1}, int64 d = {4398046511104}, float[2] v = {0, 1}> {c = OneHot (i, d, v)  r = ReduceSum <keepdims = 0> (c)  y = Add (x, r)}`},
	{"O19 300 times 60 MB", false, `a (float[2] x) => (float[2] y0) {` + repeatedNodes(300, `s%[1]d = Constant <value_ints = [15000000]> ()  v%[1]d = Constant <value_float = %[1]d.5> ()  c%[1]d = Expand (v%[1]d, s%[1]d)  r%[1]d = ReduceSum <keepdims = 0> (c%[1]d)  y%[1]d = Add (x, r%[1]d)`) + `}`},
	{"O19 300 times 60 MB by the runtime", false, `a (float[2] x) => (float[2] y0) {` + repeatedNodes(300, `s%[1]d = Constant <value_ints = [15000000]> ()  v%[1]d = Constant <value_float = %[1]d.5> ()  c%[1]d = Expand (v%[1]d, s%[1]d)  e%[1]d = Sin (c%[1]d)  r%[1]d = ReduceSum <keepdims = 0> (e%[1]d)  y%[1]d = Add (x, r%[1]d)`) + `}`},
	{"O20 Loop of 2^63", false, `a (float[2] x) => (float[2] y) <int64 n = {9223372036854775807}, bool go = {1}, float[2] v = {1, 1}> {l = Loop <body = b (int64 i, bool c, float[2] s) => (bool d, float[2] t) {d = Identity (c)  t = Add (s, s)}> (n, go, v)  y = Add (x, l)}`},
	{"O20 Loop that stacks 2^63", false, `a (float[2] x) => (float[2] y) <int64 n = {9223372036854775807}, bool go = {1}, float[2] v = {1, 1}> {l, all = Loop <body = b (int64 i, bool c, float[2] s) => (bool d, float[2] t, float[2] u) {d = Identity (c)  t = Add (s, s)  u = Identity (t)}> (n, go, v)  r = ReduceSum <keepdims = 0> (all)  y = Add (x, r)}`},
	{"O21 Gather", true, `a (float[2] x) => (float[2] y) <float[2] w = {1, 2}, int64 i = {-5}> {g = Gather (w, i)  y = Add (x, g)}`},
	{"O21 Gather of a shape", true, `a (float[2] x) => (float[2] y) <int64 i = {-9223372036854775808}> {s = Shape (x)  g = Gather (s, i)  c = Cast <to = 1> (g)  y = Add (x, c)}`},
	{"O21 GatherElements", false, `a (float[2] x) => (float[2] y) <float[2] w = {1, 2}, int64[1] i = {-3}> {g = GatherElements (w, i)  y = Add (x, g)}`},
	{"O21 GatherND", false, `a (float[2] x) => (float[2] y) <float[2] w = {1, 2}, int64[1] i = {-9}> {g = GatherND (w, i)  y = Add (x, g)}`},
	{"O21 ArrayFeatureExtractor", false, `a (float[2] x) => (float[m, n] y) <int64[1] i = {-1000}> {y = ai.onnx.ml.ArrayFeatureExtractor (x, i)}`},
	{"O21 ScatterElements", false, `a (float[2] x) => (float[2] y) <float[2] w = {1, 2}, int64[1] i = {-1000}, float[1] u = {1}> {g = ScatterElements (w, i, u)  y = Add (x, g)}`},
	{"O22 operator with a library", false, `a (float[2] x) => (float[2] y) {y = com.microsoft.Gelu <library = "/tmp/evil.so"> (x)}`},
	{"O22 unknown domain", false, `a (float[2] x) => (float[2] y) {y = evil.Run <path = "../../evil.so"> (x)}`},
}

// legalLines are verbs that work on a model without running it.
var legalLines = []string{
	"inspect $DIR/hostile.onnx --html $OUT.html",
	"check $DIR/hostile.onnx",
	"simplify $DIR/hostile.onnx --out $OUT.onnx",
	"convert $DIR/hostile.onnx --out $OUT.13.onnx --opset 13",
	"convert $DIR/hostile.onnx --out $OUT.21.onnx --opset 21 --free-batch",
	"convert $DIR/hostile.onnx --out $OUT.fp16.onnx --precision fp16 --no-verify",
	"convert $DIR/hostile.onnx --out $OUT.int8.onnx --quantize int8-dynamic --no-verify",
	"prune $DIR/hostile.onnx --out $OUT.pruned.onnx --method magnitude --sparsity 0.5",
	"artifacts $DIR/hostile.onnx --out $OUT --loss mse --optimizer adam",
	"export $DIR/hostile.onnx --out $OUT.compact.onnx --no-verify --compact",
	"diff $DIR/hostile.onnx $DIR/hostile.onnx --structure",
}

// runningLines hand a model to the runtime.
var runningLines = []string{"run $DIR/hostile.onnx", "bench $DIR/hostile.onnx --rounds 1 --warmup 0", "compare $DIR/hostile.onnx $DIR/hostile.onnx", "verify $DIR/hostile.onnx --runtimes ort"}

// TestHostileLegal gives models that are to cost dear to every verb: each answers, in time and memory that the file's size bounds. A
// model whose graph cannot be is found wrong by a check and refused by the runtime.
func TestHostileLegal(t *testing.T) {
	library := runtimetest.Library(t)
	for _, m := range legalModels {
		t.Run(m.id, func(t *testing.T) {
			dir := t.TempDir()
			file("hostile.onnx", m.encode(t))(t, dir)
			lines := legalLines
			if m.wrong && !strings.HasPrefix(m.id, "O19") { // those are the memory that the runtime asks for
				lines = append(slices.Clone(lines), runningLines...)
			}
			for _, line := range lines {
				args := strings.Fields(strings.NewReplacer("$DIR", dir, "$OUT", filepath.Join(dir, "out")).Replace(line))
				var code int
				var stderr string
				var allocated int64
				used := limitstest.CPU(t, func() {
					allocated = limitstest.Allocated(func() { code, _, stderr = writer{}.try(t, append(args, "--ort-lib", library)) })
				})
				verb := args[0]
				switch {
				case verb == "check" && (code == exitNo) != m.wrong, verb == "artifacts" && code != exitInput && m.wrong,
					slices.Contains(runningLines, line) && code != exitInput && code != exitRuntime,
					code != exitDone && code != exitNo && code != exitInput && code != exitRuntime:
					t.Errorf("%s: exit code %d\n%s", line, code, stderr)
				case code == exitInput || code == exitRuntime:
					if err := wellSaid(stderr, "graft "+verb); err != nil {
						t.Errorf("%s: %v\n%s", line, err, stderr)
					}
				}
				most := int64(64 << 20)
				if verb == "simplify" { // what it makes is as much, and is copied for the runtime
					most *= 6
				}
				if used > 2*time.Second || allocated > most {
					t.Errorf("%s: %v, %d MiB", line, used, allocated>>20)
				}
			}
		})
	}
}

// TestHostileO20Interrupted stops runs of loops that do not end.
func TestHostileO20Interrupted(t *testing.T) {
	library := runtimetest.Library(t)
	for _, m := range legalModels {
		if !strings.HasPrefix(m.id, "O20") {
			continue
		}
		dir := t.TempDir()
		file("hostile.onnx", m.encode(t))(t, dir)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		begin := time.Now()
		var stdout, stderr bytes.Buffer
		code := NewApp(strings.NewReader(""), &stdout, &stderr).Run(ctx, []string{"graft", "run", filepath.Join(dir, "hostile.onnx"), "--ort-lib", library})
		cancel()
		if took := time.Since(begin); code != exitInterrupted || took > 10*time.Second {
			t.Errorf("%s: exit code %d after %v\n%s", m.id, code, took, stderr.String())
		}
	}
}

func (m legal) encode(t testing.TB) []byte {
	t.Helper()
	parsed, err := onnx.Parse(`<ir_version: 8, opset_import: ["" : 18, "ai.onnx.ml" : 3, "com.microsoft" : 1, "evil" : 1]> ` + m.text)
	if err != nil {
		t.Fatal(err)
	}
	data, err := parsed.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return data
}
