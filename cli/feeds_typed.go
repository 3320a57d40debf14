package cli

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"graft/onnx"
	"graft/onnx/limits"
	"graft/runtime"
)

// feedReader reads a file that is no tensor by itself into the input of that name, or, without a name, into the inputs that
// it speaks of.
type feedReader func(g *onnx.Graph, scale pixelScale, feeds map[string]*onnx.Tensor, name, path string) error

// otherFeeds is the reader for a file by its ending; nil for one that holds tensors.
func otherFeeds(path string) feedReader {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".json":
		return jsonFeeds
	case ".txt":
		return textFeed
	case ".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff":
		return imageFeed
	}
	return nil
}

// theInput is the input of that name, or without one the only input.
func theInput(g *onnx.Graph, name, path string) (*onnx.Value, error) {
	names := feedNames(g)
	if name == "" {
		if len(names) != 1 {
			return nil, misuse("--input %s: the model has %s: say which, as NAME=FILE, of %s", quote(path), counted(len(names), "input"), limits.Names(names, 8))
		}
		name = names[0]
	}
	return g.Lookup(name), nil
}

// elements gathers the elements of a tensor of one type from what a text says of them.
type elements struct {
	dtype  onnx.DataType
	floats []float64
	ints   []int64
	texts  []string
}

// supported says whether elements can be gathered for a type.
func (e *elements) supported() error {
	switch e.dtype {
	case onnx.Float, onnx.Double, onnx.Float16, onnx.BFloat16, onnx.String, onnx.Bool, onnx.Int8, onnx.Int16, onnx.Int32, onnx.Int64,
		onnx.Uint8, onnx.Uint16, onnx.Uint32, onnx.Uint64:
		return nil
	}
	return fmt.Errorf("an input of type %v is not read from text: give a .npy or .pb file", e.dtype)
}

// add takes one element as it is written.
func (e *elements) add(s string) error {
	switch {
	case e.dtype == onnx.String:
		e.texts = append(e.texts, s)
	case e.dtype.IsFloat():
		x, err := strconv.ParseFloat(s, 64)
		if err != nil {
			return fmt.Errorf("%s is no number of type %v", quote(s), e.dtype)
		}
		e.floats = append(e.floats, x)
	case e.dtype == onnx.Bool:
		switch s {
		case "true", "1":
			e.ints = append(e.ints, 1)
		case "false", "0":
			e.ints = append(e.ints, 0)
		default:
			return fmt.Errorf("%s is neither true nor false", quote(s))
		}
	case e.dtype == onnx.Uint64:
		x, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			return fmt.Errorf("%s is no %v", quote(s), e.dtype)
		}
		e.ints = append(e.ints, int64(x))
	default:
		x, err := strconv.ParseInt(s, 10, 64)
		bits := e.dtype.Bits()
		low, high := int64(math.MinInt64)>>(64-bits), int64(math.MaxInt64)>>(64-bits)
		if slices.Contains([]onnx.DataType{onnx.Uint8, onnx.Uint16, onnx.Uint32}, e.dtype) {
			low, high = 0, int64(1)<<bits-1
		}
		if err != nil || x < low || x > high {
			return fmt.Errorf("%s is no %v", quote(s), e.dtype)
		}
		e.ints = append(e.ints, x)
	}
	return nil
}

func (e *elements) len() int { return len(e.floats) + len(e.ints) + len(e.texts) }

// tensor is what has been gathered, which are as many elements as dims say.
func (e *elements) tensor(dims []int64) (*onnx.Tensor, error) {
	if n, err := onnx.ElementCount(dims); err != nil || n != int64(e.len()) {
		return nil, fmt.Errorf("%d elements for dims %v", e.len(), dims)
	}
	switch {
	case e.dtype == onnx.String:
		t := onnx.NewTensor(onnx.String, dims...)
		copy(t.Strings, e.texts)
		return t, nil
	case e.dtype.IsFloat():
		t := onnx.NewTensor(onnx.Double, dims...)
		copy(onnx.View[float64](t), e.floats)
		if e.dtype == onnx.Double {
			return t, nil
		}
		return runtime.Floats(t, e.dtype)
	}
	t := onnx.NewTensor(e.dtype, dims...)
	width := e.dtype.Bits() / 8
	for i, x := range e.ints {
		for b := range width {
			t.Data[i*width+b] = byte(x >> (8 * b))
		}
	}
	return t, nil
}

// dimsFor are the dims of n elements in a shape: free dimensions are 1, the last of them what is left.
func dimsFor(s onnx.Shape, n int) ([]int64, error) {
	if !s.Ranked() {
		return []int64{int64(n)}, nil
	}
	dims, free := make([]int64, len(s)), -1
	for i, d := range s {
		dims[i] = 1
		if !d.Known() {
			free = i
		} else {
			dims[i] = d.Size
		}
	}
	known, err := onnx.ElementCount(dims)
	switch {
	case err != nil:
		return nil, err
	case free >= 0 && known > 0 && int64(n)%known == 0:
		dims[free] = int64(n) / known
	case known != int64(n):
		return nil, fmt.Errorf("%d elements do not fill %v", n, s)
	}
	return dims, nil
}
