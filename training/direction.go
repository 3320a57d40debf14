package training

import (
	"errors"
	"fmt"

	"graft/onnx"
	"graft/onnx/op"
	"graft/training/autodiff"
)

// Direction gives what the optimizer steps along in the place of the gradient of the loss: a value for each weight, of its type.
type Direction func(*Descent) []*onnx.Value

// Descent is the graph of a training step in which the loss has been differentiated. An error of a method is the builder's.
type Descent struct {
	*op.Builder
	Weights  []*onnx.Value // what is trained: each parameter, or one packed vector
	Gradient []*onnx.Value // of the loss, one for each of Weights
	Loss     *onnx.Value

	options autodiff.Options
	step    **onnx.Value // the input of the step's number; of nil until there is one
}

// direct is what c makes of the gradients; they themselves where c is nil. step is where the input of the step's number is kept once
// there is one.
func (c Direction) direct(b *op.Builder, o autodiff.Options, step **onnx.Value, loss *onnx.Value, weights, gradient []*onnx.Value) ([]*onnx.Value, error) {
	if c == nil {
		return gradient, nil
	}
	o.Segments = 0
	held := make([]*onnx.Value, len(gradient))
	for i, v := range gradient {
		held[i] = b.Identity(v) // differentiating again may put expressions in the place of values
	}
	if err := b.Err(); err != nil {
		return nil, err
	}
	out := c(&Descent{Builder: b, Weights: weights, Gradient: held, Loss: loss, options: o, step: step})
	if err := b.Err(); err != nil {
		return nil, fmt.Errorf("direction: %w", err)
	}
	if len(out) != len(weights) {
		return nil, fmt.Errorf("direction: %d values for %d weights", len(out), len(weights))
	}
	for i, v := range out {
		if v == nil {
			return nil, errors.New("direction: a value is nil")
		}
		if v.Type.DType != weights[i].Type.DType {
			return nil, fmt.Errorf("direction: %v for a weight of %v", v.Type, weights[i].Type)
		}
	}
	return out, nil
}

// Curve is the Hessian of the loss times a vector, which has a part for each weight. The vector is not differentiated.
func (d *Descent) Curve(along []*onnx.Value) []*onnx.Value {
	if d.Err() != nil {
		return nil
	}
	// H is symmetric: H v = J^T v, J being the Jacobian of the gradient.
	out, err := d.options.GradientsFrom(d.Graph(), d.Gradient, along, d.Weights)
	if err != nil {
		d.Fail("second derivative: %v", err)
		return nil
	}
	return out
}

// At is the gradient of the loss with other weights, on the same samples and with the same masks of dropout. What the step does to
// running statistics stays with the weights as they are.
func (d *Descent) At(weights []*onnx.Value) []*onnx.Value {
	if d.Err() != nil {
		return nil
	}
	if len(weights) != len(d.Weights) {
		d.Fail("gradient elsewhere: %d values for %d weights", len(weights), len(d.Weights))
		return nil
	}
	out, err := again(d.Graph(), d.Weights, weights, d.Gradient)
	if err != nil {
		d.Fail("gradient elsewhere: %v", err)
		return nil
	}
	return out
}

// Input adds an input that the caller feeds in every step.
func (d *Descent) Input(name string, t onnx.TensorType) *onnx.Value {
	if d.Err() != nil {
		return nil
	}
	if d.Graph().Lookup(name) != nil {
		d.Fail("the model has a value %q already, which the step needs as an input: rename it", name)
		return nil
	}
	return d.Graph().AddInput(name, t)
}

// OnDevice reports whether the step is for a provider other than the CPU, to which what a caller feeds has to pass.
func (d *Descent) OnDevice() bool { return d.options.Device != autodiff.CPU }

// StepCount is the input of the step's number: int64[1], 1 in the first.
func (d *Descent) StepCount() *onnx.Value {
	if *d.step == nil && d.Err() == nil {
		*d.step = d.Graph().AddInput(InputStep, onnx.TypeOf(onnx.Int64, 1))
	}
	return *d.step
}

// Norm2 is the squared Euclidean length of a vector in parts: a scalar.
func (d *Descent) Norm2(parts []*onnx.Value) *onnx.Value {
	squares := make([]*onnx.Value, len(parts))
	for i, v := range parts {
		squares[i] = d.ReduceSumSquare(v, false)
	}
	if len(squares) == 1 {
		return squares[0]
	}
	return d.Sum(squares...)
}

// again adds a second copy of the way to ys, in which others stand for xs.
func again(g *onnx.Graph, xs, others, ys []*onnx.Value) ([]*onnx.Value, error) {
	c, of := g.Clone()
	c.SetOutputs()
	for _, y := range ys {
		if p := y.Producer(); p != nil {
			c.SetOutputs(append(c.Outputs(), of[y])...)
		}
	}
	c.RemoveUnused()
	by := map[*onnx.Value]*onnx.Value{}
	for _, v := range append(g.Inputs(), g.Initializers()...) {
		by[v] = v
	}
	for i, x := range xs {
		by[x] = others[i]
	}
	handed := map[*onnx.Value]*onnx.Value{}
	for old, v := range by {
		if of[old] == nil {
			return nil, fmt.Errorf("%s is inside the graph", old.Name)
		}
		if err := c.ReplaceUses(of[old], v); err != nil {
			return nil, err
		}
		handed[of[old]] = v
	}
	c.ReplaceHandedOut(handed)
	c.SetInitializers()
	for _, n := range c.Nodes() {
		for _, o := range n.Outputs() {
			if o != nil {
				o.Name = ""
			}
		}
		if n.Name != "" {
			n.Name += " again"
		}
	}
	if err := g.Take(c); err != nil {
		return nil, err
	}
	out := make([]*onnx.Value, len(ys))
	for i, y := range ys {
		if out[i] = of[y]; y.Producer() == nil {
			out[i] = by[y]
		}
	}
	return out, nil
}
