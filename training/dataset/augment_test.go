package dataset

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"graft/onnx"
	"graft/onnx/noise"
)

func TestParseAugmentation(t *testing.T) {
	for _, s := range [][]string{{"shift=2", "rotate=10", "zoom=0.1", "flip"}, {"rotate=180"}, {"flip", "crop=4", "cutout=16"}, nil} {
		a, err := ParseAugmentation(s)
		if err != nil || a.IsZero() != (s == nil) {
			t.Errorf("%v: %+v, %v", s, a, err)
		}
		if got := a.String(); got != strings.Join(s, ",") {
			t.Errorf("%v comes back as %s", s, got)
		}
	}
	for _, bad := range []string{"shift", "shift=", "shift=0", "shift=-1", "zoom=1", "rotate=NaN", "flip=1", "blur=2", "", "crop", "crop=0", "crop=1.5", "cutout=-1", "cutout=4096"} {
		if _, err := ParseAugmentation([]string{bad}); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

// What a picture becomes for given random numbers: r = (angle, zoom, x, y, flip), 0.5 being none.
func TestAugmentedPicture(t *testing.T) {
	source := []float32{ // 3 by 3
		1, 2, 3,
		4, 5, 6,
		7, 8, 9,
	}
	for name, c := range map[string]struct {
		a    Augmentation
		r    []float32
		want []float32
	}{
		"none":        {Augmentation{Shift: 2, Rotate: 90, Zoom: 0.5}, []float32{.5, .5, .5, .5, .5}, source},
		"right":       {Augmentation{Shift: 1}, []float32{.5, .5, 1, .5, .5}, []float32{1, 1, 2, 4, 4, 5, 7, 7, 8}},
		"half down":   {Augmentation{Shift: 1}, []float32{.5, .5, .5, .75, .5}, []float32{1, 2, 3, 2.5, 3.5, 4.5, 5.5, 6.5, 7.5}},
		"quarter":     {Augmentation{Rotate: 90}, []float32{1, .5, .5, .5, .5}, []float32{7, 4, 1, 8, 5, 2, 9, 6, 3}},
		"half turn":   {Augmentation{Rotate: 180}, []float32{1, .5, .5, .5, .5}, []float32{9, 8, 7, 6, 5, 4, 3, 2, 1}},
		"half as big": {Augmentation{Zoom: 0.5}, []float32{.5, 0, .5, .5, .5}, []float32{1, 2, 3, 4, 5, 6, 7, 8, 9}},
		"flipped":     {Augmentation{Flip: true}, []float32{.5, .5, .5, .5, .4}, []float32{3, 2, 1, 6, 5, 4, 9, 8, 7}},
		"not flipped": {Augmentation{Flip: true}, []float32{.5, .5, .5, .5, .6}, source},
	} {
		at := make([]corner, 9)
		c.a.taps(at, c.r, 3, 3)
		for p, s := range at {
			got := source[s.at[0]]*(1-s.x)*(1-s.y) + source[s.at[1]]*s.x*(1-s.y) + source[s.at[2]]*(1-s.x)*s.y + source[s.at[3]]*s.x*s.y
			if math.Abs(float64(got-c.want[p])) > 1e-5 {
				t.Errorf("%s: pixel %d is %g, want %g", name, p, got, c.want[p])
			}
		}
	}
}

func TestWindowAndSquare(t *testing.T) {
	source := []float32{1, 2, 3, 4, 5, 6, 7, 8, 9}
	for at, want := range map[[2]int][]float32{
		{0, 0}: source, {1, 0}: {2, 3, 0, 5, 6, 0, 8, 9, 0}, {-1, 1}: {0, 4, 5, 0, 7, 8, 0, 0, 0}, {2, -1}: {0, 0, 0, 3, 0, 0, 6, 0, 0}, {-3, 0}: make([]float32, 9), {0, 3}: make([]float32, 9),
	} {
		got := slices.Clone(source)
		if window(got, 3, 3, at[0], at[1]); !slices.Equal(got, want) {
			t.Errorf("window at %v: %v, want %v", at, got, want)
		}
	}
	for at, want := range map[[3]int][]float32{ // pixel and side
		{1, 1, 1}: {1, 2, 3, 4, 0, 6, 7, 8, 9}, {0, 2, 2}: {1, 2, 3, 0, 5, 6, 0, 8, 9}, {2, 0, 3}: {1, 0, 0, 4, 0, 0, 7, 8, 9}, {1, 1, 9}: make([]float32, 9),
	} {
		got := slices.Clone(source)
		if blank(got, 3, 3, at[0], at[1], at[2]); !slices.Equal(got, want) {
			t.Errorf("square at %v: %v, want %v", at, got, want)
		}
	}
	// Every place of the window, and every pixel of the square, comes as often as any other.
	x := onnx.NewTensor(onnx.Float, 4000, 1, 2, 3)
	for i := range x.Float32s() {
		x.Float32s()[i] = float32(i%6 + 1)
	}
	windows, squares := x.Clone(), x.Clone()
	Augmentation{Crop: 1}.apply(windows, noise.NewKey(1, "crop", 0))
	Augmentation{Cutout: 1}.apply(squares, noise.NewKey(1, "cutout", 0))
	seen := map[string]int{}
	for _, of := range []*onnx.Tensor{windows, squares} {
		for i := range 4000 {
			seen[fmt.Sprint(of.Float32s()[6*i:6*i+6])]++
		}
	}
	if len(seen) != 9+6 {
		t.Errorf("%d pictures, want 9 windows and 6 squares", len(seen))
	}
	for picture, n := range seen {
		if want := map[bool]int{true: 4000 / 9, false: 4000 / 6}[strings.Count(picture, " 0")+strings.Count(picture, "[0") != 1]; n < want*8/10 || n > want*12/10 {
			t.Errorf("%s %d times, want %d", picture, n, want)
		}
	}
}

// Batches are a function of seed and step; labels and the samples themselves stay as they are, and channels move together.
func TestAugmentedBatches(t *testing.T) {
	x, y := onnx.NewTensor(onnx.Float, 6, 2, 8, 5), onnx.NewTensor(onnx.Int64, 6)
	noise.Uniform(x.Float32s(), noise.NewKey(1, "test", 0))
	for i := range 6 {
		picture := x.Float32s()[i*80:][:80]
		for p := range 40 {
			picture[40+p] = 2 * picture[p]
		}
	}
	before := slices.Clone(x.Data)
	batches := func(seed uint64, a Augmentation) *Batches {
		b, err := NewBatches(map[string]Rows{"x": tensorRows{x}, "y": tensorRows{y}}, nil, BatchConfig{Size: 3, Seed: seed})
		if err == nil {
			err = b.Augment("x", a)
		}
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	all := Augmentation{Shift: 2, Rotate: 30, Zoom: 0.2, Flip: true}
	b := batches(5, all)
	first := at(t, b, 1)["x"].Clone()
	second := at(t, b, 2)["x"].Clone()
	for i := range 3 {
		for p := range 40 {
			if a, c := first.Float32s()[i*80+p], first.Float32s()[i*80+40+p]; math.Abs(float64(2*a-c)) > 1e-6 {
				t.Fatalf("the channels of picture %d moved apart: %g and %g", i, a, c)
			}
		}
	}
	switch {
	case !slices.Equal(x.Data, before):
		t.Error("the samples were written to")
	case !slices.Equal(at(t, batches(5, all), 2)["x"].Data, second.Data):
		t.Error("step 2 asked for first is another")
	case slices.Equal(at(t, batches(5, Augmentation{}), 1)["x"].Data, first.Data):
		t.Error("pictures stayed as they were")
	}
	for _, name := range []string{"y", "z"} {
		if err := batches(5, Augmentation{}).Augment(name, all); err == nil {
			t.Errorf("%s is taken for pictures", name)
		}
	}
}

func BenchmarkAugment(b *testing.B) {
	x := onnx.NewTensor(onnx.Float, 64, 1, 28, 28)
	for i := range b.N {
		Augmentation{Shift: 2, Rotate: 10, Zoom: 0.1}.apply(x, noise.NewKey(1, "augment", uint64(i)))
	}
}
