package signal

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"graft/training/dataset"
)

func TestKinds(t *testing.T) {
	for _, k := range Kinds {
		c := Config{Count: 500, Length: 64, Seed: 7, Stream: "train"}
		s, err := k.Make(c)
		if err != nil || s.Check() != nil {
			t.Fatalf("%s: %v, %v", k.Name, err, s.Check())
		}
		c.Count = 20
		if short, err := k.Make(c); err != nil || !slices.Equal(short.Values, s.Part(0, 20).Values) {
			t.Errorf("%s: 20 signals are not the first of 500, %v", k.Name, err)
		}
		c.Stream = "test"
		other, err := k.Make(c)
		if err != nil || ApartSignals(s, other) != nil {
			t.Errorf("%s: %v, %v", k.Name, err, ApartSignals(s, other))
		}
		if err := ApartSignals(s, s.Part(30, 31)); err == nil || !strings.Contains(err.Error(), "signal 30 of the training") {
			t.Errorf("%s: the same signals for a test: %v", k.Name, err)
		}
		for _, bad := range []Config{{}, {Count: -1, Length: 4}, {Count: 1}, {Count: 1, Length: -4}, {Count: 1 << 40, Length: 4}, {Count: 1, Length: 1 << 60}, {Count: 1, Length: 4, Rate: 2}, {Count: 1, Length: 4, Rate: math.NaN()}} {
			if _, err := k.Make(bad); err == nil {
				t.Errorf("%s takes %+v", k.Name, bad)
			}
		}
		if found, err := FindKind(k.Name); err != nil || found.Doc != k.Doc {
			t.Errorf("%s is not found: %v", k.Name, err)
		}
	}
	if _, err := FindKind("sines"); err == nil {
		t.Error("signals that there are not")
	}
	if _, err := ConstantPatch(Config{Count: 1, Length: 63}); err == nil {
		t.Error("a patch of 63 samples")
	}
}

// TestPiecewise holds the rate of jumps and the range and mean of heights to what they are drawn from.
func TestPiecewise(t *testing.T) {
	s, err := PiecewiseConstant(Config{Count: 2000, Length: 64, Rate: 0.1})
	if err != nil {
		t.Fatal(err)
	}
	jumps, sum, pieces := 0, 0.0, 0
	for i := range s.Count {
		row := s.Row(i)
		for j, v := range row {
			if j == 0 || v != row[j-1] {
				sum, pieces = sum+v, pieces+1
				if j > 0 {
					jumps++
				}
			}
			if v <= 0 || v >= 1 {
				t.Fatalf("signal %d: sample %d is %g", i, j, v)
			}
		}
	}
	if rate := float64(jumps) / (2000 * 63); math.Abs(rate-0.1) > 0.004 { // five standard deviations
		t.Errorf("jumps at a rate of %g", rate)
	}
	if mean := sum / float64(pieces); math.Abs(mean-0.5) > 0.014 {
		t.Errorf("heights of %g on average", mean)
	}
}

// TestCosineSparse counts the coefficients, by the transform written as a sum.
func TestCosineSparse(t *testing.T) {
	const n = 20
	s, err := CosineSparse(Config{Count: 400, Length: n, Rate: 0.15})
	if err != nil {
		t.Fatal(err)
	}
	seen := make([]int, n)
	for i := range s.Count {
		kept := 0
		for k := range n {
			a := 0.0
			for j, v := range s.Row(i) {
				a += v * math.Cos(math.Pi*(float64(j)+0.5)*float64(k)/n)
			}
			if a *= math.Sqrt(2. / n); k == 0 {
				a *= math.Sqrt2 / 2
			}
			if math.Abs(a) > 1e-12 {
				kept++
				seen[k]++
			}
			if math.Abs(a) > 1+1e-12 {
				t.Errorf("signal %d: coefficient %d is %g", i, k, a)
			}
		}
		if kept != 3 {
			t.Fatalf("signal %d has %d coefficients, want 3", i, kept)
		}
	}
	if slices.Min(seen) < 25 || slices.Max(seen) > 105 { // 60 expected, deviation 7
		t.Errorf("coefficients are taken %v times", seen)
	}
}

func TestNoise(t *testing.T) {
	zero, err := NewSet(1000, 33)
	if err != nil {
		t.Fatal(err)
	}
	y := zero.WithNoise(0.5, 3, "train")
	if mse := MSE(y, zero); math.Abs(mse-0.25) > 0.01 {
		t.Errorf("noise of variance %g, want 0.25", mse)
	}
	if part := zero.Part(0, 10).WithNoise(0.5, 3, "train"); !slices.Equal(part.Values, y.Part(0, 10).Values) {
		t.Error("the noise of a part is another")
	}
	if slices.Equal(y.Row(0), zero.WithNoise(0.5, 3, "test").Row(0)) || slices.Equal(y.Row(0), y.Row(1)) {
		t.Error("the noise of another signal is the same")
	}
	if !slices.Equal(zero.WithNoise(0, 3, "").Values, zero.Values) {
		t.Error("noise of 0 is some")
	}
	y.Values[40] = math.Inf(1)
	if err := y.Check(); err == nil || !strings.Contains(err.Error(), "signal 1: sample 7") {
		t.Errorf("a set with an infinity: %v", err)
	}
	if !math.IsNaN(MSE(zero, zero.Part(0, 2))) {
		t.Error("sets of two sizes have a difference")
	}
}

// TestPatches: unchanged patches make the picture again, to the bit, whatever stride and sides.
func TestPatches(t *testing.T) {
	for _, c := range []struct{ h, w, side, stride, count int }{{20, 31, 8, 1, 13 * 24}, {20, 31, 8, 3, 5 * 9}, {20, 31, 8, 8, 3 * 4}, {8, 8, 8, 1, 1}, {5, 9, 1, 1, 45}} {
		g, err := NewGrid(c.h, c.w, c.side, c.stride)
		if err != nil || g.Count() != c.count {
			t.Fatalf("%+v: %d patches, %v", c, g.Count(), err)
		}
		set, err := NewSet(1, c.h*c.w)
		if err != nil {
			t.Fatal(err)
		}
		plane := set.WithNoise(1, 1, "plane").Values
		for i := range plane {
			plane[i] /= 3 // with all bits of the fraction
		}
		for _, centre := range []bool{false, true} {
			patches, means, err := g.Cut(plane, centre)
			if err != nil || (means != nil) != centre {
				t.Fatal(err)
			}
			back, err := g.Paste(patches, means)
			if err != nil {
				t.Fatal(err)
			}
			for i, v := range back {
				if v != plane[i] && (!centre || math.Abs(v-plane[i]) > 1e-15) {
					t.Fatalf("%+v: pixel %d is %g, was %g", c, i, v, plane[i])
				}
			}
			if centre && c.side > 1 && math.Abs(Centre(slices.Clone(patches.Row(0)))) > 1e-15 {
				t.Error("a centred patch has a mean")
			}
		}
	}
	g, err := NewGrid(3, 3, 2, 1)
	if err != nil {
		t.Fatal(err)
	}
	a := g.NewAverage()
	a.Add(0, []float64{1, 1, 1, 1}, 0)
	a.Add(1, []float64{2, 2, 2, 2}, 1)
	want := []float64{1, 2, 3, 1, 2, 3, math.NaN(), math.NaN(), math.NaN()}
	for i, v := range a.Plane() {
		if v != want[i] && !math.IsNaN(v+want[i]) {
			t.Errorf("pixel %d is %g, want %g", i, v, want[i])
		}
	}
	if b := a.Blend([]float64{4, 5, 6, 4, 5, 6, 7, 8, 9}, 2); b[0] != 3 || b[1] != 3.5 || b[6] != 7 {
		t.Errorf("blended %v", b)
	}
	for _, bad := range [][4]int{{7, 8, 8, 1}, {8, 7, 8, 1}, {8, 8, 0, 1}, {8, 8, 8, 0}, {8, 8, 4, 5}, {0, 0, 1, 1}, {1 << 40, 1 << 40, 1, 1}} {
		if _, err := NewGrid(bad[0], bad[1], bad[2], bad[3]); err == nil {
			t.Errorf("a grid of %v", bad)
		}
	}
	if _, _, err := g.Cut(make([]float64, 8), false); err == nil {
		t.Error("8 samples for 3x3")
	}
	if _, err := g.Paste(Set{}, nil); err == nil {
		t.Error("no patches for 3x3")
	}
}

// TestFolder: colour is read as grey, other files are passed over, and the same picture in another format is known again.
func TestFolder(t *testing.T) {
	const photos = "../../testdata/images"
	train, err := ReadFolder(photos)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range train {
		names = append(names, p.Name)
		if len(p.Pix) != p.Height*p.Width {
			t.Errorf("%s: %d samples for %dx%d", p.Name, len(p.Pix), p.Width, p.Height)
		}
	}
	if !slices.Equal(names, []string{"astronaut.png", "camera.png", "chelsea.png", "coffee.png"}) {
		t.Errorf("read %v", names)
	}
	if err := Apart(train[:2], train[2:]); err != nil {
		t.Errorf("other pictures: %v", err)
	}
	dir := t.TempDir()
	m, err := dataset.ReadImage(filepath.Join(photos, "camera.png"))
	if err != nil {
		t.Fatal(err)
	}
	if err := dataset.SavePNG(filepath.Join(dir, "again.png"), m.RGB()); err != nil {
		t.Fatal(err)
	}
	test, err := ReadFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := Apart(train, test); err == nil || !strings.Contains(err.Error(), "again.png of the test is picture camera.png") {
		t.Errorf("camera.png in colours: %v", err)
	}
	if _, err := ReadFolder(filepath.Join(dir, "none")); err == nil {
		t.Error("a folder that is not there")
	}
	if _, err := ReadFolder(t.TempDir()); err == nil {
		t.Error("an empty folder")
	}
	if err := os.WriteFile(filepath.Join(dir, "broken.png"), []byte("no picture"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadFolder(dir); err == nil || !strings.Contains(err.Error(), "broken.png") {
		t.Errorf("a broken picture: %v", err)
	}
}
