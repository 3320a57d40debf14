package cli

import (
	"graft/masking"
	"graft/onnx"
	"graft/onnx/limits"
	"graft/training/pacbayes"
)

// deviations looks at the weights and at the noise that --certificate has for them.
func (c *call) deviations(m *onnx.Model) (masking.Look, error) {
	path := c.Text("certificate")
	of, err := pacbayes.ReadDeviations(path)
	if err != nil {
		return nil, refused(path, err)
	}
	parameters, some := masking.Parameters(m.Graph), false
	for _, v := range parameters {
		t := of[v.Name]
		if t == nil {
			continue
		}
		some = true
		if !t.Type().Shape.Equal(v.Type.Shape) {
			return nil, refused(path, limits.InFile(path, limits.Refuse("", "the deviations of %s are %v, the model's are %v", limits.Name(v.Name), t.Dims, v.Type.Shape)))
		}
	}
	if !some {
		return nil, refused(path, limits.InFile(path, limits.Refuse("", "has no deviations of a weight of the model")))
	}
	look := masking.Weights(parameters, c.Common.Seed)
	return func(kept *masking.Set) ([]masking.Evidence, error) {
		list, err := look(kept)
		for i := range list {
			if t := of[list[i].Name]; t != nil {
				list[i].Deviation = t.Float32s()
			}
		}
		return list, err
	}, nil
}
