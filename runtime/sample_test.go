package runtime

import (
	"errors"
	"math"
	"testing"

	"graft/onnx"
)

func TestSample(t *testing.T) {
	g := onnx.NewGraph("sample")
	free := func(d onnx.DataType) onnx.TensorType {
		return onnx.TensorType{DType: d, Shape: onnx.Shape{{Symbol: "N"}, {Size: 500}, onnx.UnknownDim}}
	}
	g.AddInput("x", free(onnx.Float))
	g.AddInput("half", free(onnx.Float16))
	ids, small, byte8 := g.AddInput("ids", free(onnx.Int64)), g.AddInput("mask", free(onnx.Int32)), g.AddInput("byte", free(onnx.Int8))
	g.AddInput("flag", free(onnx.Bool))
	table := g.AddInitializer("table", onnx.NewTensor(onnx.Float, 3, 30))
	cast := g.Add("Cast", []*onnx.Value{ids}, 1)
	g.Add("Gather", []*onnx.Value{table, cast.Output(0)}, 1, onnx.Int("axis", -1))
	g.Add("Gather", []*onnx.Value{table, ids}, 1, onnx.Int("axis", 1))

	feeds, err := Sample(g, 1, map[string]int64{"N": 2})
	if err != nil {
		t.Fatal(err)
	}
	if len(feeds) != 6 || feeds["x"].Len() != 1000 || feeds["x"].Dims[0] != 2 || feeds["x"].Dims[2] != 1 {
		t.Fatalf("%v", feeds)
	}
	mean, square := 0.0, 0.0
	for _, x := range feeds["x"].Float32s() {
		mean, square = mean+float64(x)/1000, square+float64(x)*float64(x)/1000
	}
	if math.Abs(mean) > 0.1 || math.Abs(square-1) > 0.15 {
		t.Errorf("mean %g, mean square %g", mean, square)
	}
	spread := func(name string, lo, hi float64) {
		t.Helper()
		values, _ := feeds[name].Reals()
		least, most := math.Inf(1), math.Inf(-1)
		for _, v := range values {
			least, most = min(least, v), max(most, v)
		}
		if least != lo || most != hi {
			t.Errorf("%s: %g to %g, want %g to %g", name, least, most, lo, hi)
		}
	}
	spread(ids.Name, 0, 29)
	spread(small.Name, 0, 1)
	spread("flag", 0, 1)
	values, _ := feeds[byte8.Name].Reals()
	low, high := 0, 0
	for _, v := range values {
		if v < -64 {
			low++
		}
		if v > 64 {
			high++
		}
	}
	if low < 150 || high < 150 {
		t.Errorf("int8: %d low, %d high of 1000", low, high)
	}
	again, _ := Sample(g, 1, map[string]int64{"N": 2})
	other, _ := Sample(g, 2, map[string]int64{"N": 2})
	for name := range feeds {
		if string(feeds[name].Data) != string(again[name].Data) || string(feeds[name].Data) == string(other[name].Data) {
			t.Errorf("%s does not follow the seed", name)
		}
	}
}

func TestSampleRefuses(t *testing.T) {
	for _, typ := range []onnx.TensorType{
		{DType: onnx.Float}, {}, onnx.TypeOf(onnx.String, 2), onnx.TypeOf(onnx.Float, 1<<40), onnx.TypeOf(onnx.Float, 1<<40, 1<<40), onnx.TypeOf(onnx.Int4, 1<<40),
	} {
		v := onnx.NewGraph("g").AddInput("x", typ)
		if _, err := SampleValue(v, 0, nil); !errors.Is(err, ErrFeed) {
			t.Errorf("%v: %v", typ, err)
		}
	}
}
