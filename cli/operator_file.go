package cli

import (
	"fmt"
	"math"
	"path/filepath"
	"strings"

	"graft/graphs/analysis"
	"graft/onnx"
)

// Names of the tensors of an operator's file.
const (
	tensorOperator = "W"
	tensorBeta     = "beta"
)

// readOperator reads an analysis operator: the tensor W [rows, pixels], or filters [rows, side, side] or [rows, 1, side, side], of a
// .npy, .npz, .safetensors or .json file; a tensor that is alone in its file need not be called so. beta is the file's number of that
// name, nil where there is none.
func readOperator(path string) (o analysis.Operator, beta *float64, err error) {
	tensors, err := operatorTensors(path)
	if err != nil {
		return o, nil, err
	}
	var w *onnx.Tensor
	for _, t := range tensors {
		switch {
		case t.Name == tensorOperator || t.Name != tensorBeta && len(tensors) == 1:
			w = t
		case t.Name == tensorBeta:
			v, ok := t.Reals()
			if !ok || len(v) != 1 {
				return o, nil, refused(path, fmt.Errorf("beta is %v, wants one number", t.Type()))
			}
			if !(v[0] >= 0) || v[0] > math.MaxFloat32 {
				return o, nil, refused(path, fmt.Errorf("beta is %g, wants a number from 0 on", v[0]))
			}
			beta = &v[0]
		}
	}
	if w == nil {
		return o, nil, refused(path, fmt.Errorf("has no tensor %s", tensorOperator))
	}
	rows, columns, ok := operatorDims(w.Dims)
	if !ok {
		return o, nil, refused(path, fmt.Errorf("the operator is %v, wants [rows, pixels of a patch], or filters of [rows, side, side]", w.Type()))
	}
	o = analysis.Operator{Rows: int(rows), Columns: int(columns), Origin: filepath.Base(path)}
	if o.W, ok = w.Reals(); !ok {
		return o, nil, refused(path, fmt.Errorf("the operator is %v, wants numbers", w.Type()))
	}
	return o, beta, nil
}

func operatorDims(dims []int64) (rows, columns int64, ok bool) {
	const largest = 1 << 20
	for _, n := range dims {
		if n < 1 || n > largest {
			return 0, 0, false
		}
	}
	switch {
	case len(dims) == 2:
		return dims[0], dims[1], true
	case len(dims) == 3 && dims[1] == dims[2]:
		return dims[0], dims[1] * dims[2], true
	case len(dims) == 4 && dims[1] == 1 && dims[2] == dims[3]:
		return dims[0], dims[2] * dims[3], true
	}
	return 0, 0, false
}

// operatorTensors reads a file's tensors. JSON is {"W": [[...], ...], "beta": 0.1}, or the rows alone.
func operatorTensors(path string) ([]*onnx.Tensor, error) {
	if !strings.HasSuffix(strings.ToLower(path), ".json") {
		return readTensorFile(path)
	}
	text, err := readText(path)
	if err != nil {
		return nil, err
	}
	g := onnx.NewGraph("operator")
	names := []string{tensorOperator}
	if strings.HasPrefix(strings.TrimSpace(text), "{") {
		names = append(names, tensorBeta)
	}
	for _, name := range names {
		g.AddInput(name, onnx.TensorType{DType: onnx.Double})
	}
	feeds := map[string]*onnx.Tensor{}
	if err := jsonFeeds(g, pixelScale{}, feeds, "", path); err != nil {
		return nil, err
	}
	var list []*onnx.Tensor
	for name, t := range feeds {
		t.Name = name
		list = append(list, t)
	}
	return list, nil
}
