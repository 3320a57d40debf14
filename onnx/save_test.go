package onnx

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"graft/onnx/internal/onnxpb"
)

// mappedModel is a model of more than 1 MiB, of which some weights are not aligned in it.
func mappedModel(t testing.TB) *Model {
	m := mustParse(t, `<ir_version: 10, opset_import: ["" : 21]> g (float[2] x) => (float[2] y) <float[2] w = {1, 2}> { y = Add (x, w) }`)
	for i := range 5 {
		big := NewTensor(Float, int64(60_000+i))
		for k := range View[float32](big) {
			View[float32](big)[k] = float32(i*1000 + k)
		}
		m.Graph.AddInitializer(fmt.Sprint("big", strings.Repeat("_", i), i), big)
	}
	return m
}

func mustLoad(t testing.TB, path string) *Model {
	t.Helper()
	m, err := Load(path, LoadOptions{mapped: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func mustSave(t testing.TB, m *Model, path string, o SaveOptions) {
	t.Helper()
	if err := m.SaveAs(path, o); err != nil {
		t.Fatal(err)
	}
}

func mustRead(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func mustEncode(t testing.TB, m *Model) []byte {
	t.Helper()
	data, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// A weight that is written to after it was read is saved as it is in memory, and the file that it came from stays as it was;
// so with any other way to change it.
func TestSaveChangedWeights(t *testing.T) {
	want := mustEncode(t, mappedModel(t))
	for _, o := range []SaveOptions{{}, {Weights: OneFile}, {Weights: FileEach}, {Weights: Stay}} {
		for _, from := range []SaveOptions{{}, {Weights: OneFile}} {
			dir := t.TempDir()
			path := filepath.Join(dir, "m.onnx")
			mustSave(t, mappedModel(t), path, from)
			m := mustLoad(t, path)
			second, third := m.Graph.Initializers()[2].Const, m.Graph.Initializers()[3].Const
			second.Data[len(second.Data)-1] ^= 1 // in place, in the mapping
			View[float32](third)[7] = 42         // of a copy, where it is not aligned
			expected := mustEncode(t, m)
			mustSave(t, m, filepath.Join(dir, "out.onnx"), o)
			got := mustLoad(t, filepath.Join(dir, "out.onnx"))
			if !bytes.Equal(mustEncode(t, got), expected) || bytes.Equal(expected, want) {
				t.Errorf("%v of %v: another model was saved", o, from)
			}
			if !bytes.Equal(mustEncode(t, mustLoad(t, path)), want) {
				t.Errorf("%v of %v: the file that the model came from changed", o, from)
			}
			mustSave(t, m, path, o) // over itself
			if !bytes.Equal(mustEncode(t, mustLoad(t, path)), expected) {
				t.Errorf("%v of %v: another model was saved over itself", o, from)
			}
		}
	}
}

// Weights go out to files and come back, aligned as asked, and each placement has its files.
func TestSavePlacements(t *testing.T) {
	want := mustEncode(t, mappedModel(t))
	for _, c := range []struct {
		o     SaveOptions
		files string
		sizes int64 // of the largest data file
	}{
		{SaveOptions{}, "m.onnx", 0},
		{SaveOptions{Weights: Stay}, "m.onnx", 0},
		{SaveOptions{Weights: OneFile}, "m.onnx m.onnx_data", 1206672},
		{SaveOptions{Weights: OneFile, Alignment: 1}, "m.onnx m.onnx_data", 1200040},
		{SaveOptions{Weights: OneFile, Alignment: 64 << 10}, "m.onnx m.onnx_data", 1288592},
		{SaveOptions{Weights: FileEach}, "m.onnx m.onnx_data.0 m.onnx_data.1 m.onnx_data.2 m.onnx_data.3 m.onnx_data.4", 240_016},
		{SaveOptions{Weights: FileEach, Smallest: 240_012}, "m.onnx m.onnx_data.0 m.onnx_data.1", 240_016},
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, "m.onnx")
		mustSave(t, mappedModel(t), path, c.o)
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		var largest int64
		for _, e := range entries {
			names = append(names, e.Name())
			if info, err := e.Info(); err == nil && e.Name() != "m.onnx" {
				largest = max(largest, info.Size())
			}
		}
		if strings.Join(names, " ") != c.files || largest != c.sizes {
			t.Errorf("%+v: files %v, the largest of data %d", c.o, names, largest)
		}
		m := mustLoad(t, path)
		if !bytes.Equal(mustEncode(t, m), want) {
			t.Errorf("%+v: another model came back", c.o)
		}
		inline := filepath.Join(t.TempDir(), "inline.onnx")
		mustSave(t, m, inline, SaveOptions{})
		if !bytes.Equal(mustRead(t, inline), want) {
			t.Errorf("%+v: not the same inline again", c.o)
		}
	}
	for _, n := range []int64{-1, 3, 1 << 31} {
		if err := mappedModel(t).SaveAs(filepath.Join(t.TempDir(), "m.onnx"), SaveOptions{Weights: OneFile, Alignment: n}); err == nil {
			t.Errorf("alignment %d is taken", n)
		}
	}
}

// An unmodified model is copied, in whatever way its file says things; a modified one is written anew, its unknown fields with
// it.
func TestSaveUnmodified(t *testing.T) {
	dir := t.TempDir()
	pb := goodModel()
	odd := pb.Graph.Initializer[0]
	odd.RawData, odd.FloatData = nil, make([]float32, tensorElements(t, odd))
	pb.Graph.Initializer = append(pb.Graph.Initializer, &onnxpb.TensorProto{Name: proto.String("big"), Dims: []int64{2 << 20},
		DataType: proto.Int32(int32(Uint8)), RawData: make([]byte, 2<<20)})
	data := marshal(t, pb)
	data = append(data, marshal(t, &onnxpb.ModelProto{Domain: proto.String("last")})...) // behind the graph
	data = append(data, 0xfa, 0x3e, 3, 'a', 'b', 'c')                                    // field 1007, which nobody knows
	path := filepath.Join(dir, "m.onnx")
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	m := mustLoad(t, path)
	out := filepath.Join(dir, "out.onnx")
	for _, o := range []SaveOptions{{}, {Weights: Stay}} {
		mustSave(t, m, out, o)
		if !bytes.Equal(mustRead(t, out), data) {
			t.Errorf("%+v: the copy of an unmodified model differs", o)
		}
	}
	m.ProducerName = "edited"
	mustSave(t, m, out, SaveOptions{})
	got := mustRead(t, out)
	if bytes.Equal(got, data) || !bytes.Contains(got, []byte{0xfa, 0x3e, 3, 'a', 'b', 'c'}) {
		t.Error("an edit or an unknown field is lost")
	}
	m.ProducerName = ""
	m.Graph.Lookup("big").Const.Data[5] = 1
	mustSave(t, m, out, SaveOptions{})
	if mustLoad(t, out).Graph.Lookup("big").Const.Data[5] != 1 {
		t.Error("a changed weight is lost")
	}
}

func tensorElements(t testing.TB, pb *onnxpb.TensorProto) int64 {
	n, err := ElementCount(pb.Dims)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// Weights stay in their file when the model that refers to it is saved in its folder, also when it is saved over the one it
// came from; elsewhere they are copied.
func TestSaveStay(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "m.onnx")
	mustSave(t, mappedModel(t), path, SaveOptions{Weights: OneFile})
	before, err := os.Stat(path + "_data")
	if err != nil {
		t.Fatal(err)
	}
	m := mustLoad(t, path)
	m.Graph.Inputs()[0].Name = "renamed"
	m.Graph.AddInitializer("new", NewTensor(Float, 5000))
	want := mustEncode(t, m)
	for _, name := range []string{"other.onnx", "m.onnx"} {
		mustSave(t, m, filepath.Join(dir, name), SaveOptions{Weights: Stay})
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Size() > 30_000 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
		if !bytes.Equal(mustEncode(t, mustLoad(t, filepath.Join(dir, name))), want) {
			t.Errorf("%s: another model came back", name)
		}
	}
	if after, err := os.Stat(path + "_data"); err != nil || !os.SameFile(before, after) || !before.ModTime().Equal(after.ModTime()) {
		t.Errorf("the data file was touched (%v)", err)
	}
	elsewhere := filepath.Join(t.TempDir(), "m.onnx")
	mustSave(t, m, elsewhere, SaveOptions{Weights: Stay})
	if !bytes.Equal(mustRead(t, elsewhere), want) {
		t.Error("saved elsewhere, it is another model")
	}
}
