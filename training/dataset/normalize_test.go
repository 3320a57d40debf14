package dataset

import (
	"math"
	"slices"
	"strings"
	"testing"

	"graft/onnx"
	"graft/onnx/noise"
)

// Standardized samples have mean 0 and deviation 1 in every channel, those far from zero too, and their numbers are those of the
// definition in float64.
func TestStatistics(t *testing.T) {
	const n, channels, plane = 700, 3, 4
	x := onnx.NewTensor(onnx.Float, n, channels, 2, 2)
	noise.Normal(x.Float32s(), noise.NewKey(3, "x", 0))
	for i := range x.Float32s() {
		c := float32(i / plane % channels)
		x.Float32s()[i] = x.Float32s()[i]*(1+c) + 1000*c
	}
	got, err := Statistics(tensorRows{x})
	if err != nil {
		t.Fatal(err)
	}
	rows, err := Normalized(tensorRows{x}, got)
	if err != nil {
		t.Fatal(err)
	}
	z := all(t, Column{Rows: rows}).Float32s()
	for c := range channels {
		var sum, squares, zs, zsquares float64
		for i, v := range x.Float32s() {
			if i/plane%channels == c {
				sum += float64(v)
				zs += float64(z[i])
				zsquares += float64(z[i]) * float64(z[i])
			}
		}
		mean := sum / (n * plane)
		for i, v := range x.Float32s() {
			if i/plane%channels == c {
				squares += (float64(v) - mean) * (float64(v) - mean)
			}
		}
		if want := math.Sqrt(squares / (n * plane)); math.Abs(got.Mean[c]-mean) > 1e-9 || math.Abs(got.Std[c]-want) > 1e-9 {
			t.Errorf("channel %d: mean %g and deviation %g, want %g and %g", c, got.Mean[c], got.Std[c], mean, want)
		}
		if math.Abs(zs/(n*plane)) > 1e-4 || math.Abs(zsquares/(n*plane)-1) > 1e-3 {
			t.Errorf("channel %d: standardized mean %g, square %g", c, zs/(n*plane), zsquares/(n*plane))
		}
	}
	flat, err := Statistics(tensorRows{onnx.FromSlice([]float32{1, 2, 3, 4, 5, 9}, 3, 2)})
	if err != nil || len(flat.Mean) != 1 || flat.Mean[0] != 4 {
		t.Errorf("numbers without channels: %+v, %v", flat, err)
	}
	for want, rows := range map[string]Rows{
		"channel 0 has the deviation 0":    tensorRows{onnx.FromSlice([]float32{2, 2}, 2, 1)},
		"int64":                            tensorRows{onnx.FromSlice([]int64{2, 2}, 2, 1)},
		"0 samples of [1] hold no numbers": tensorRows{onnx.NewTensor(onnx.Float, 0, 1)},
		"channel 0 has the deviation NaN":  tensorRows{onnx.FromSlice([]float32{2, float32(math.NaN())}, 2, 1)},
		"2 samples of [0] hold no numbers": tensorRows{onnx.NewTensor(onnx.Float, 2, 0)},
	} {
		if _, err := Statistics(rows); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func TestDraw(t *testing.T) {
	a, err := Draw(50, 20, 3)
	b, _ := Draw(50, 20, 3)
	c, _ := Draw(50, 20, 4)
	if err != nil || len(a) != 20 || !slices.IsSorted(a) || len(slices.Compact(slices.Clone(a))) != 20 || !slices.Equal(a, b) || slices.Equal(a, c) {
		t.Errorf("%v %v %v %v", a, b, c, err)
	}
	for _, k := range []int64{0, 51} {
		if _, err := Draw(50, k, 0); err == nil {
			t.Errorf("%d of 50", k)
		}
	}
	labels := []int64{0, 2, 0, 2, 2, 0, 2, 0, 2}
	drawn, err := DrawPerClass(labels, 3, 1, nil)
	count := map[int64]int{}
	for _, at := range drawn {
		count[labels[at]]++
	}
	if err != nil || len(drawn) != 6 || count[0] != 3 || count[2] != 3 || !slices.IsSorted(drawn) {
		t.Errorf("per class %v, %v", drawn, err)
	}
	if _, err := DrawPerClass(labels, 5, 1, []string{"cat", "cow", "dog"}); err == nil || !strings.Contains(err.Error(), `class 0 ("cat") has 4`) {
		t.Errorf("a class too small: %v", err)
	}
	if empty := EmptyClasses(labels, 4); !slices.Equal(empty, []int64{1, 3}) {
		t.Errorf("empty classes %v", empty)
	}
	if got, err := Labels(tensorRows{onnx.FromSlice(labels)}); err != nil || !slices.Equal(got, labels) {
		t.Errorf("labels %v, %v", got, err)
	}
	if _, err := Labels(tensorRows{onnx.NewTensor(onnx.Int64, 3, 2)}); err == nil {
		t.Error("two labels a sample")
	}
}
