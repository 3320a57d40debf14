package optim

import (
	"fmt"
	"strings"

	"graft/onnx"
	"graft/onnx/op"
)

// Optimizer is a way to step: one node builder and the state that it carries from step to step.
type Optimizer struct {
	Name string
	// Slots names the state tensors of a parameter, each of its type and zero before the first step.
	Slots []string
	// LearningRate is the usual one.
	LearningRate float64
	// Update adds the next p, and the next slots, after a step along the gradient g, of p's type. learningRate is float[1];
	// step is int64[1] and counts from 1.
	Update func(b *op.Builder, p, g *onnx.Value, slots []*onnx.Value, learningRate, step *onnx.Value) (next *onnx.Value, nextSlots []*onnx.Value)
}

// Catalog lists the optimizers with their usual settings.
var Catalog = []Optimizer{
	SGD(SGDConfig{}),
	Adam(AdamConfig{}),
	AdamW(AdamConfig{WeightDecay: 0.01}),
}

// Lookup finds an optimizer with its usual settings by name.
func Lookup(name string) (Optimizer, error) {
	names := make([]string, len(Catalog))
	for i, o := range Catalog {
		if o.Name == name {
			return o, nil
		}
		names[i] = o.Name
	}
	return Optimizer{}, fmt.Errorf("optimizer %q: no such optimizer, there are %s", name, strings.Join(names, ", "))
}

// like converts v, a value of one element, to the element type of p.
func like(b *op.Builder, v, p *onnx.Value) *onnx.Value {
	if b.Err() != nil || v.Type.DType == p.Type.DType {
		return v
	}
	return b.Cast(v, p.Type.DType)
}

// times is k v; v itself for k = 1.
func times(b *op.Builder, v *onnx.Value, k float64) *onnx.Value {
	if k == 1 {
		return v
	}
	return b.Mul(v, b.Scalar(v, k))
}
