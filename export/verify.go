package export

import (
	"context"
	"fmt"
	"math"

	"graft/onnx"
	"graft/runtime"
)

// Tolerance says what counts as equal: |a-b| <= Absolute + Relative*max|a|, for every output.
type Tolerance struct {
	Absolute float64 `json:"atol"`
	Relative float64 `json:"rtol"`
}

// Float32 is the tolerance of float32 models.
var Float32 = Tolerance{1e-5, 1e-5}

// Verify runs two models on the same inputs and compares their outputs by position. Inputs that a model does not have are
// not fed to it. It gives the largest absolute difference, and an error when it is beyond the tolerance.
func Verify(ctx context.Context, original, exported *onnx.Model, feeds map[string]*onnx.Tensor, tol Tolerance, o runtime.Options) (float64, error) {
	a, err := outputs(ctx, original, feeds, o)
	if err != nil {
		return 0, fmt.Errorf("run the original: %w", err)
	}
	b, err := outputs(ctx, exported, feeds, o)
	if err != nil {
		return 0, fmt.Errorf("run the export: %w", err)
	}
	if len(a) != len(b) {
		return 0, fmt.Errorf("the export has %d outputs, the original %d", len(b), len(a))
	}
	worst := 0.0
	for i := range a {
		diff, largest, err := difference(a[i], b[i])
		if err != nil {
			return 0, err
		}
		worst = max(worst, diff)
		if !(diff <= tol.Absolute+tol.Relative*largest) {
			return worst, fmt.Errorf("the export differs from the graph it came from: output %q by %.3g, allowed %.3g",
				a[i].Name, diff, tol.Absolute+tol.Relative*largest)
		}
	}
	return worst, nil
}

func outputs(ctx context.Context, m *onnx.Model, feeds map[string]*onnx.Tensor, o runtime.Options) ([]*onnx.Tensor, error) {
	data, err := m.Encode()
	if err != nil {
		return nil, err
	}
	s, err := runtime.Open(data, o)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	own := map[string]*onnx.Tensor{}
	for _, p := range s.Inputs() {
		if t := feeds[p.Name]; t != nil {
			own[p.Name] = t
		}
	}
	got, err := s.Run(ctx, own)
	if err != nil {
		return nil, err
	}
	var list []*onnx.Tensor
	for _, p := range s.Outputs() {
		list = append(list, got[p.Name])
	}
	return list, nil
}

// difference gives the largest |a-b| and the largest |a|. A NaN on one side alone is an infinite difference.
func difference(a, b *onnx.Tensor) (diff, largest float64, err error) {
	x, y := a.Float32s(), b.Float32s()
	if a.DType != onnx.Float || b.DType != onnx.Float || len(x) != len(y) {
		return 0, 0, fmt.Errorf("output %q is %v in the original, %v in the export", a.Name, a.Type(), b.Type())
	}
	for i := range x {
		p, q := float64(x[i]), float64(y[i])
		largest = max(largest, math.Abs(p))
		switch {
		case math.IsNaN(p) && math.IsNaN(q) || p == q:
		case math.IsNaN(p) || math.IsNaN(q):
			return math.Inf(1), largest, nil
		default:
			diff = max(diff, math.Abs(p-q))
		}
	}
	return diff, largest, nil
}
