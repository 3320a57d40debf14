package export

import (
	"context"
	"fmt"

	"graft/onnx"
	"graft/onnx/limits"
	"graft/runtime"
)

// Tolerance says what counts as equal: |a-b| <= Absolute + Relative*max|a|, for every element, the maximum being over the output.
type Tolerance struct {
	Absolute float64 `json:"atol"`
	Relative float64 `json:"rtol"`
}

// Float32 is the tolerance of float32 models.
var Float32 = Tolerance{1e-5, 1e-5}

// Verify runs two models on the same inputs and compares their outputs by position. Inputs that a model does not have are
// not fed to it. The values count, whatever their element types. It gives the largest absolute difference, and an error when it is beyond the tolerance.
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
	named := map[string]*onnx.Tensor{}
	byName := map[string]*onnx.Tensor{}
	for i := range a {
		byName[a[i].name], named[a[i].name] = a[i].tensor, b[i].tensor
	}
	c := runtime.Compare(byName, named, runtime.Tolerance{Abs: tol.Absolute, Rel: tol.Relative})
	for _, d := range c.Outputs {
		switch {
		case d.Equal:
		case d.Reason != "":
			return float64(d.MaxAbs), fmt.Errorf("the export differs from the graph it came from: output %s: %s", limits.Name(d.Name), d.Reason)
		default:
			return float64(d.MaxAbs), fmt.Errorf("the export differs from the graph it came from: output %s by %.3g, beyond %g + %g of the largest value",
				limits.Name(d.Name), float64(d.MaxAbs), tol.Absolute, tol.Relative)
		}
	}
	return float64(c.MaxAbs), nil
}

// output is one output of a model that ran.
type output struct {
	name   string
	tensor *onnx.Tensor
}

func outputs(ctx context.Context, m *onnx.Model, feeds map[string]*onnx.Tensor, o runtime.Options) ([]output, error) {
	s, err := runtime.OpenModel(m, o)
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
	var list []output
	for _, p := range s.Outputs() {
		list = append(list, output{p.Name, got[p.Name]})
	}
	return list, nil
}
