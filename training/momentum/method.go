package momentum

import (
	"fmt"
	"math"
	"strings"

	"graft/onnx"
	"graft/onnx/noise"
	"graft/training"
)

// Method is a way to change what a training step goes along. The optimizer, and its momentum, is beside it.
type Method struct {
	Name string
	Doc  string // one line for help
	// Strength is what the number stands for, and Usual what it is without another.
	Strength string
	Usual    float64
	make     func(strength float64, seed uint64) training.Direction
}

// Methods lists them.
var Methods = []Method{
	{Name: "heavy-ball", Doc: "gradient descent with a part of the last step kept, and no more"},
	{Name: "gradient-penalty", Doc: "adds |gradient|² of the batch's loss to the loss, by derivatives of second order",
		Strength: "its coefficient", Usual: 0.1, make: unseeded(GradientPenalty)},
	{Name: "sam", Doc: "sharpness-aware minimisation: the gradient where the loss grows the most within a distance",
		Strength: "the distance", Usual: 0.05, make: unseeded(SAM)},
	{Name: "noise", Doc: "perturbed gradient descent: the gradient at weights with normal noise on them",
		Strength: "the noise's standard deviation", Usual: 0.05, make: Noise},
}

// MethodNames lists the names of the methods.
func MethodNames() []string {
	names := make([]string, len(Methods))
	for i, m := range Methods {
		names[i] = m.Name
	}
	return names
}

// FindMethod looks a method up by name.
func FindMethod(name string) (Method, error) {
	for _, m := range Methods {
		if m.Name == name {
			return m, nil
		}
	}
	return Method{}, fmt.Errorf("no such method: %q (%s)", name, strings.Join(MethodNames(), ", "))
}

// Direction is what a training step goes along; nil where that is the gradient. The seed is of what the method draws.
func (m Method) Direction(strength float64, seed uint64) (training.Direction, error) {
	if m.make == nil {
		return nil, nil
	}
	if !(strength >= 0) || math.IsInf(strength, 0) {
		return nil, fmt.Errorf("method %s with %g: wants a number from 0", m.Name, strength)
	}
	return m.make(strength, seed), nil
}

func unseeded(of func(strength float64) training.Direction) func(float64, uint64) training.Direction {
	return func(strength float64, _ uint64) training.Direction { return of(strength) }
}

// Feed gives what a method had a step take as an input, with the seed of its direction: nil where that is nothing. What it gives is
// valid until it is called again.
func Feed(s *training.Step, seed uint64) func(step int64) map[string]*onnx.Tensor {
	if s.Model.Graph.Lookup(inputNoise) == nil {
		return nil
	}
	t := onnx.NewTensor(onnx.Float, s.Packing.Len())
	return func(step int64) map[string]*onnx.Tensor {
		noise.Normal(t.Float32s(), noise.NewKey(seed, inputNoise, uint64(step)))
		return map[string]*onnx.Tensor{inputNoise: t}
	}
}

// GradientPenalty adds c |∇E|² to the loss E that a step descends on, E being the mean over its batch:
//
//	∇(E + c |∇E|²) = ∇E + 2c H∇E.
//
// The regulariser of the paper is of the loss over all samples, which is this one where the batch is all of them. The loss that a
// step tells is E.
func GradientPenalty(c float64) training.Direction {
	return func(d *training.Descent) []*onnx.Value {
		along := make([]*onnx.Value, len(d.Gradient))
		for i, g := range d.Gradient {
			along[i] = d.Mul(g, d.Scalar(g, 2*c))
		}
		return plus(d, d.Gradient, d.Curve(along))
	}
}

// SAM is sharpness-aware minimisation (arXiv 2010.01412): the step goes along the gradient at w + rho ∇E(w)/|∇E(w)|.
func SAM(rho float64) training.Direction {
	return func(d *training.Descent) []*onnx.Value {
		length := d.Sqrt(d.Norm2(d.Gradient))
		away := make([]*onnx.Value, len(d.Gradient))
		for i, g := range d.Gradient {
			scale := d.Div(d.Scalar(length, rho), d.Add(length, d.Scalar(length, 1e-12)))
			away[i] = d.Mul(g, scale)
		}
		return d.At(plus(d, d.Weights, away))
	}
}

// inputNoise is the input of Noise: float, as many as there are weights, drawn from N(0, 1).
const inputNoise = "weight_noise"

// Noise has the step go along the gradient at w + sigma ξ. Feed draws ξ, on a device the graph itself: the same numbers but for the
// last bits.
func Noise(sigma float64, seed uint64) training.Direction {
	return func(d *training.Descent) []*onnx.Value {
		var sizes, total = make([]int64, len(d.Weights)), int64(0)
		for i, w := range d.Weights {
			dims, ok := w.Type.Shape.Sizes()
			n, err := onnx.ElementCount(dims)
			if !ok || err != nil {
				d.Fail("noise: %q is %v, want a known size", w.Name, w.Type)
				return nil
			}
			sizes[i], total = n, total+n
		}
		drawn := drawn(d, seed, total)
		parts := []*onnx.Value{drawn}
		if len(sizes) > 1 {
			parts = d.Split(drawn, 0, sizes...)
		}
		if d.Err() != nil {
			return nil
		}
		for i, w := range d.Weights {
			dims, _ := w.Type.Shape.Sizes()
			parts[i] = d.Mul(d.Reshape(parts[i], dims...), d.Scalar(w, sigma))
		}
		return d.At(plus(d, d.Weights, parts))
	}
}

// drawn are so many numbers from N(0, 1) in a step.
func drawn(d *training.Descent, seed uint64, n int64) *onnx.Value {
	if !d.OnDevice() {
		return d.Input(inputNoise, onnx.TypeOf(onnx.Float, n))
	}
	step := d.StepCount()
	if d.Err() != nil {
		return nil
	}
	return noise.EmitStreams(d.Builder, seed, []string{inputNoise}, step).EmitNormal(d.Builder, 0, n)
}

// plus is the sum of two vectors in parts.
func plus(d *training.Descent, a, b []*onnx.Value) []*onnx.Value {
	if d.Err() != nil {
		return nil
	}
	out := make([]*onnx.Value, len(a))
	for i := range a {
		out[i] = d.Add(a[i], b[i])
	}
	return out
}
