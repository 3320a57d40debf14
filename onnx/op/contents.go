package op

import (
	"strconv"

	"graft/onnx"
)

// Content is what a small array of integers or Booleans is known to hold before the graph runs.
type Content struct {
	// Key is the same for two values that hold the same: element type, dimensions, and each element as a number or as the
	// dimension that it equals.
	Key string
	// Tensor holds the elements when all of them are numbers; else nil.
	Tensor *onnx.Tensor
}

// InferContents is InferModel that also gives what is known of the contents of small values: those all of whose elements are
// numbers or dimensions. It holds while the graph stays as it is.
func InferContents(m *onnx.Model) map[*onnx.Value]Content {
	contents := map[*onnx.Value]Content{}
	inferModel(m, func(f *facts) {
		for _, v := range f.kept {
			if a := v.Scratch.(*fact).array; a != nil && a.dtype == v.Type.DType {
				if key, ok := a.key(); ok {
					contents[v] = Content{key, a.tensor()}
				}
			}
		}
	})
	return contents
}

// key says what a holds; false when an element is not known, or a is of floats.
func (a *array) key() (string, bool) {
	if a.dtype.IsFloat() {
		return "", false
	}
	k := strconv.AppendInt(nil, int64(a.dtype), 10)
	for _, d := range a.dims {
		k = strconv.AppendInt(append(k, '['), d, 10)
	}
	for _, e := range a.elems {
		switch {
		case e.known:
			k = strconv.AppendInt(append(k, ' '), e.i, 10)
		case e.symbol != "":
			k = strconv.AppendQuote(append(k, ' '), e.symbol)
		default:
			return "", false
		}
	}
	return string(k), true
}
