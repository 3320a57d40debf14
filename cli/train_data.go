package cli

import (
	"fmt"
	"math"
	"slices"

	"graft/onnx"
	"graft/onnx/limits"
	"graft/training"
	"graft/training/dataset"
)

// trainingData reads the arrays of a file that have the names of the model's inputs and of the target, and cuts them into
// batches: along the first axis where the model's is free, or smaller than the array's.
func trainingData(path string, contract *training.Contract, batch int64, seed uint64) (*dataset.Batches, error) {
	tensors, err := readTensorFile(path)
	if err != nil {
		return nil, err
	}
	arrays := map[string]*onnx.Tensor{}
	var names []string
	for _, t := range tensors {
		arrays[t.Name] = t
		names = append(names, t.Name)
	}
	d := &sorting{file: path, rows: map[string]*onnx.Tensor{}, whole: map[string]*onnx.Tensor{}}
	wanted := contract.Inputs
	if contract.Target.Name != "" { // a loss of one's own may compare with nothing
		wanted = append(slices.Clone(wanted), contract.Target)
	}
	for _, p := range wanted {
		t := arrays[p.Name]
		if t == nil {
			return nil, refused(path, limits.Refuse("", "has no array %s for the input %s %s %v; it has %s", limits.Name(p.Name), limits.Name(p.Name), p.DType, p.Shape, limits.Names(names, 8)))
		}
		if err := d.add(p, t); err != nil {
			return nil, refused(path, limits.InFile(path, err))
		}
	}
	if err := checkLabels(contract, arrays[training.InputLabels]); err != nil {
		return nil, refused(path, limits.InFile(path, err))
	}
	if batch == 0 {
		batch = 32
	}
	if d.fixed > 0 {
		batch = d.fixed
	}
	batches, err := dataset.NewBatches(d.rows, d.whole, dataset.BatchConfig{Size: batch, Partial: d.fixed == 0, Seed: seed})
	if err != nil {
		return nil, refused(path, limits.InFile(path, err))
	}
	return batches, nil
}

// sorting tells samples from tensors that every step gets whole.
type sorting struct {
	file        string
	rows, whole map[string]*onnx.Tensor
	fixed       int64 // the batch that the model asks for; 0: any
}

// add takes the array of one input.
func (d *sorting) add(p training.ContractPort, t *onnx.Tensor) error {
	field := fmt.Sprintf("array %s", limits.Name(p.Name))
	mismatch := limits.Refuse(field, "is %v, the model wants %s %v", t.Type(), p.DType, p.Shape)
	if len(t.Dims) != len(p.Shape) {
		return mismatch
	}
	for i, want := range p.Shape {
		if n, ok := want.(float64); ok && i > 0 && int64(n) != t.Dims[i] {
			return mismatch
		}
	}
	dtype, _ := onnx.ParseDataType(p.DType)
	t, err := converted(t, dtype)
	if err != nil {
		return limits.Refuse(field, "%v", err)
	}
	if len(p.Shape) == 0 {
		d.whole[p.Name] = t
		return nil
	}
	n, fixed := p.Shape[0].(float64)
	switch {
	case fixed && int64(n) == t.Dims[0]:
		d.whole[p.Name] = t
		return nil
	case fixed && (int64(n) > t.Dims[0] || n < 1 || d.fixed > 0 && d.fixed != int64(n)):
		return mismatch
	case fixed:
		d.fixed = int64(n)
	}
	d.rows[p.Name] = t
	return nil
}

// checkLabels refuses classes that the model does not have.
func checkLabels(contract *training.Contract, labels *onnx.Tensor) error {
	if contract.Target.Name != training.InputLabels {
		return nil
	}
	i := slices.IndexFunc(contract.Outputs, func(p training.ContractPort) bool { return p.Name == contract.Output })
	if i < 0 || len(contract.Outputs[i].Shape) < 2 {
		return nil
	}
	classes, ok := contract.Outputs[i].Shape[1].(float64)
	whole, err := converted(labels, onnx.Int64)
	if !ok || err != nil {
		return err
	}
	ignored, ignores := contract.LossSettings["ignore-index"]
	for i, l := range whole.Int64s() {
		if ignores && l == int64(ignored) {
			continue
		}
		if l < 0 || l >= int64(classes) {
			return limits.Refuse("array "+limits.Name(training.InputLabels), "element %d is class %d, the model has classes 0 to %d", i, l, int64(classes)-1)
		}
	}
	return nil
}

// converted gives numbers the element type that a model wants: any number becomes float, whole numbers become int64. Numbers
// that are none, and those that the type cannot hold, are refused.
func converted(t *onnx.Tensor, to onnx.DataType) (*onnx.Tensor, error) {
	if t.DType == to && to != onnx.Float {
		return t, nil
	}
	var values []float64
	var whole []int64
	switch t.DType {
	case onnx.Float:
		values = widen(onnx.View[float32](t))
	case onnx.Double:
		values = onnx.View[float64](t)
	case onnx.Int8:
		whole = integers(onnx.View[int8](t))
	case onnx.Int16:
		whole = integers(onnx.View[int16](t))
	case onnx.Int32:
		whole = integers(onnx.View[int32](t))
	case onnx.Int64:
		whole = onnx.View[int64](t)
	case onnx.Uint8:
		whole = integers(onnx.View[uint8](t))
	case onnx.Uint16:
		whole = integers(onnx.View[uint16](t))
	case onnx.Uint32:
		whole = integers(onnx.View[uint32](t))
	}
	switch {
	case to == onnx.Int64 && whole != nil:
		return onnx.FromSlice(whole, t.Dims...), nil
	case to != onnx.Float || values == nil && whole == nil:
		return nil, fmt.Errorf("is %v, the model wants %v", t.DType, to)
	case values == nil:
		values = widen(whole)
	}
	if t.DType == onnx.Float {
		return t, finite(values)
	}
	out := onnx.NewTensor(onnx.Float, t.Dims...)
	for i, v := range values {
		out.Float32s()[i] = float32(v)
	}
	return out, finite(values)
}

func widen[T float32 | int64](values []T) []float64 {
	out := make([]float64, len(values))
	for i, v := range values {
		out[i] = float64(v)
	}
	return out
}

func integers[T int8 | int16 | int32 | uint8 | uint16 | uint32](values []T) []int64 {
	out := make([]int64, len(values))
	for i, v := range values {
		out[i] = int64(v)
	}
	return out
}

func finite(values []float64) error {
	for i, v := range values {
		if math.IsNaN(v) || math.Abs(v) > math.MaxFloat32 {
			return fmt.Errorf("element %d is %v", i, v)
		}
	}
	return nil
}
