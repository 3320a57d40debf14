package cli

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"graft/export/packed"
	"graft/onnx"
	"graft/onnx/hostiletest"
	"graft/onnx/limits/limitstest"
	"graft/onnx/safetensors"
	"graft/onnx/safetensors/safetensorstest"
)

// packedParts are the tensors and metadata of a packed file, of one weight w of 64 by 64.
func packedParts(t testing.TB) (map[string]*onnx.Tensor, map[string]string) {
	t.Helper()
	g := onnx.NewGraph("one")
	x := g.AddInput("x", onnx.TypeOf(onnx.Float, 1, 64))
	w := onnx.NewTensor(onnx.Float, 64, 64)
	for i := range 200 {
		w.Float32s()[20*i] = float32(i + 1)
	}
	g.AddOutput(g.Add("MatMul", []*onnx.Value{x, g.AddInitializer("w", w)}, 1).Output(0), "y")
	var b bytes.Buffer
	if err := packed.Write(&b, &onnx.Model{IRVersion: 8, Graph: g, Opsets: []onnx.Opset{{Version: 17}}}, packed.Config{}); err != nil {
		t.Fatal(err)
	}
	list, metadata, err := safetensors.Decode(b.Bytes(), "packed")
	if err != nil {
		t.Fatal(err)
	}
	tensors := map[string]*onnx.Tensor{}
	for _, x := range list {
		tensors[x.Name] = x
	}
	return tensors, metadata
}

// repack gives the bytes of a file of parts.
func repack(t testing.TB, tensors map[string]*onnx.Tensor, metadata map[string]string) []byte {
	t.Helper()
	var list []*onnx.Tensor
	for _, name := range slices.Sorted(maps.Keys(tensors)) {
		x := tensors[name].Clone()
		x.Name = name
		list = append(list, x)
	}
	data, err := safetensors.Encode(list, metadata)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestHostilePacked gives unpack what a packed file is made of, broken: S its container, O and E the graph in it, K the weights.
func TestHostilePacked(t *testing.T) {
	const line = "unpack $DIR/hostile.safetensors --out $OUT.onnx"
	refuseThrough(t, whatever(files("hostile.safetensors", safetensorstest.Hostile())), line)

	var graphs []limitstest.Case
	for _, m := range hostiletest.Models() {
		folder := t.TempDir()
		m.Write(t, folder)
		data, err := os.ReadFile(filepath.Join(folder, hostiletest.File))
		if err != nil {
			t.Fatal(err)
		}
		tensors, metadata := packedParts(t)
		tensors["graph"] = onnx.FromSlice(data)
		graphs = append(graphs, limitstest.Case{ID: m.ID, What: m.Name, Bytes: repack(t, tensors, metadata), Want: "hostile.safetensors"})
	}
	if len(graphs) < 20 {
		t.Errorf("only %d graphs", len(graphs))
	}
	refuseThrough(t, files("hostile.safetensors", graphs), line)

	var weights []limitstest.Case
	add := func(what, want string, change func(x map[string]*onnx.Tensor, m map[string]string)) {
		tensors, metadata := packedParts(t)
		change(tensors, metadata)
		weights = append(weights, limitstest.Case{ID: "K01", What: what, Bytes: repack(t, tensors, metadata), Want: want})
	}
	text := func(what, want, says string) {
		add(what, want, func(_ map[string]*onnx.Tensor, m map[string]string) { m["weight/w"] = says })
	}
	text("no dims", "does not read", "place 0 rice 4")
	text("a dim beyond int64", "a dim is not a number", "place 0 rice 4 dims 9223372036854775808")
	text("dims that wrap", "has dims", "place 0 rice 4 dims 4611686018427387904 4")
	text("other dims", "has dims [64 65]", "place 0 rice 4 dims 64 65")
	text("rice of 64", "not in 0 to 40", "place 0 rice 64 dims 64 64")
	text("a place beyond all", "its place", "place 99999999999 rice 4 dims 64 64")
	text("a terminal's words", `"\x1b[2J"`, "\x1b[2J")
	text("another parameter", `weight "w"`, "place 0 rice 0 dims 64 64")
	add("no format", "graft.packed.1", func(_ map[string]*onnx.Tensor, m map[string]string) { m["format"] = "pt" })
	add("no graph", `no tensor "graph"`, func(x map[string]*onnx.Tensor, _ map[string]string) { delete(x, "graph") })
	add("all ones", "more zeros than|ends within", func(x map[string]*onnx.Tensor, _ map[string]string) {
		x["zeros/w"] = onnx.FromSlice(bytes.Repeat([]byte{255}, 1<<20))
	})
	add("a name that is none", "is no input of the graph", func(x map[string]*onnx.Tensor, m map[string]string) {
		m["weight/../x"], x["values/../x"], x["zeros/../x"] = m["weight/w"], x["values/w"], x["zeros/w"]
	})
	add("values of 20 megabytes", "more values than", func(x map[string]*onnx.Tensor, _ map[string]string) {
		x["values/w"], x["zeros/w"] = onnx.NewTensor(onnx.Float, 5<<20), onnx.NewTensor(onnx.Uint8, 4<<20)
	})
	for _, sides := range [][2]int64{{1 << 15, 1 << 15}, {1 << 13, 1 << 13}, {1 << 31, 1 << 31}} {
		add("many zeros", "elements for a file of its size|weight|dimensions", func(x map[string]*onnx.Tensor, m map[string]string) {
			g := onnx.NewGraph("one")
			y := g.Add("MatMul", []*onnx.Value{g.AddInput("x", onnx.TypeOf(onnx.Float, 1, sides[0])), g.AddInput("w", onnx.TypeOf(onnx.Float, sides[:]...))}, 1)
			g.AddOutput(y.Output(0), "y")
			data, err := encodeModel(&onnx.Model{IRVersion: 8, Graph: g, Opsets: []onnx.Opset{{Version: 17}}}, "graph")
			if err != nil {
				t.Fatal(err)
			}
			x["graph"], x["values/w"], x["zeros/w"] = onnx.FromSlice(data), onnx.NewTensor(onnx.Float, 0), onnx.NewTensor(onnx.Uint8, 0)
			m["weight/w"] = "place 0 rice 0 dims " + strings.Trim(fmt.Sprint(sides), "[]")
		})
	}
	refuseThrough(t, files("hostile.safetensors", weights), line)
}
