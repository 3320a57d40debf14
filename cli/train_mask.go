package cli

import (
	"fmt"

	"graft/masking"
	"graft/onnx"
	"graft/onnx/limits"
)

// mask reads --mask as zeros and ones packed as the parameters; nil without one. A parameter without a mask is kept whole.
func (r *trainRun) mask() (*onnx.Tensor, error) {
	path := r.Text("mask")
	if path == "" {
		return nil, nil
	}
	set, err := masking.ReadFile(path)
	if err != nil {
		return nil, refused(path, err)
	}
	tensors := map[string]*onnx.Tensor{}
	for i, name := range r.step.Packing.Names() {
		dims := r.step.Packing.Dims(i)
		m := set.Get(name)
		if m != nil {
			dims = m.Dims
		}
		t := onnx.NewTensor(onnx.Float, dims...)
		for i := range t.Float32s() {
			if m == nil || m.Keep[i] {
				t.Float32s()[i] = 1
			}
		}
		tensors[name] = t
	}
	mask, err := r.step.Packing.Pack(func(name string) *onnx.Tensor { return tensors[name] })
	for _, m := range set.Masks() {
		if tensors[m.Name] == nil && err == nil && m.Kept() < int64(len(m.Keep)) {
			err = fmt.Errorf("%s is no parameter that is trained", limits.Name(m.Name))
		}
	}
	if err != nil {
		return nil, refused(path, limits.InFile(path, limits.Refuse("mask", "%v: it is of another network", err)))
	}
	return mask, nil
}
