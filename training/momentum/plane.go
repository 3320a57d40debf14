package momentum

import (
	"fmt"
	"strings"

	"graft/onnx"
	"graft/onnx/op"
	"graft/training/autodiff"
)

// Plane is a loss of two weights, E = (y - f(w, x))²/2 for one pair of x and y, with where the authors' descent on it begins.
type Plane struct {
	Name  string
	X, Y  float64
	Start [2]float64
	Rate  float64 // effective step h/(1-β)
	Steps int     // of the published run
	// output is f. The weights are vectors: an element for each point of the plane.
	output func(b *op.Builder, w1, w2, x *onnx.Value) *onnx.Value
}

// Planes lists the losses of two weights.
var Planes = []Plane{
	{"2d-linear", 1, 0.6, [2]float64{2.8, 3.4}, 1e-2, 50_000, func(b *op.Builder, w1, w2, x *onnx.Value) *onnx.Value {
		return b.Mul(b.Mul(w1, w2), x)
	}},
	{"2d-sigmoid", 1, 0.6, [2]float64{6, 2}, 1e-2, 200_000, func(b *op.Builder, w1, w2, x *onnx.Value) *onnx.Value {
		return b.Mul(w1, b.Sigmoid(b.Mul(w2, x)))
	}},
}

// FindPlane looks a loss up by name.
func FindPlane(name string) (Plane, error) {
	names := make([]string, len(Planes))
	for i, p := range Planes {
		if p.Name == name {
			return p, nil
		}
		names[i] = p.Name
	}
	return Plane{}, fmt.Errorf("no such problem: %q (%s)", name, strings.Join(names, ", "))
}

// planeOpset is that of the graphs of a plane.
const planeOpset = 21

// slopes are loss, gradient and the product of Hessian and gradient at points of the plane.
type slopes struct {
	loss               *onnx.Value // of each point
	gradient, curvings [2]*onnx.Value
}

// slopesAt adds them to b's graph at (w1, w2). The sum over points has each point's derivatives as its own; the Hessian is symmetric, so
// that H∇E is the gradient of |∇E|²/2.
func (p Plane) slopesAt(b *op.Builder, w1, w2 *onnx.Value) (*slopes, error) {
	g := b.Graph()
	residual := b.Sub(b.Scalar(w1, p.Y), p.output(b, w1, w2, b.Scalar(w1, p.X)))
	s := &slopes{loss: b.Mul(b.Mul(residual, residual), b.Scalar(w1, 0.5))}
	total := b.ReduceSum(s.loss, false)
	if err := b.Err(); err != nil {
		return nil, err
	}
	first, err := autodiff.Gradients(g, total, []*onnx.Value{w1, w2})
	if err != nil {
		return nil, err
	}
	second, err := autodiff.GradientsFrom(g, first, first, []*onnx.Value{w1, w2})
	if err != nil {
		return nil, err
	}
	copy(s.gradient[:], first)
	copy(s.curvings[:], second)
	return s, b.Err()
}

// Names of the ports of a plane's models.
const (
	portLoss  = "loss"
	portSteps = "steps"
	portRate  = "rate"
	portBeta  = "beta"
	portTerm  = "penalty"
)

var (
	portWeights   = [2]string{"w1", "w2"}
	portBefore    = [2]string{"w1.before", "w2.before"}
	portGradients = [2]string{"w1.gradient", "w2.gradient"}
	portCurvings  = [2]string{"w1.curving", "w2.curving"}
)

// SlopesModel is the graph of loss, gradient and H∇E at one point: inputs w1, w2 double [1].
func (p Plane) SlopesModel() (*onnx.Model, error) {
	g := onnx.NewGraph(p.Name)
	b := op.NewBuilder(g)
	var w [2]*onnx.Value
	for i, name := range portWeights {
		w[i] = g.AddInput(name, onnx.TypeOf(onnx.Double, 1))
	}
	s, err := p.slopesAt(b, w[0], w[1])
	if err != nil {
		return nil, fmt.Errorf("build %s: %w", p.Name, err)
	}
	g.AddOutput(b.Identity(s.loss), portLoss)
	for i := range 2 {
		g.AddOutput(b.Identity(s.gradient[i]), portGradients[i])
		g.AddOutput(b.Identity(s.curvings[i]), portCurvings[i])
	}
	return planeModel(b, g)
}

// DescentModel is the graph that takes steps of gradient descent with heavy-ball momentum from several points at once, as an ONNX
// Loop: inputs int64 [1] steps, the points and those before them double [points], and for each point step h and β. With a penalty
// it has the input c too and descends on E + c |∇E|².
func (p Plane) DescentModel(points int64, penalty bool) (*onnx.Model, error) {
	g, body := onnx.NewGraph(p.Name), onnx.NewGraph("step")
	b, t := op.NewBuilder(g), onnx.TypeOf(onnx.Double, points)
	steps := g.AddInput(portSteps, onnx.TypeOf(onnx.Int64, 1))
	var carried, inner [4]*onnx.Value // points, then those before
	body.AddInput("number", onnx.TensorType{DType: onnx.Int64, Shape: onnx.NewShape()})
	again := body.AddInput("again", onnx.TensorType{DType: onnx.Bool, Shape: onnx.NewShape()})
	for i, name := range append(portWeights[:], portBefore[:]...) {
		carried[i], inner[i] = g.AddInput(name, t), body.AddInput("at."+name, t)
	}
	rate, beta := g.AddInput(portRate, t), g.AddInput(portBeta, t)
	var twice *onnx.Value
	if penalty {
		c := g.AddInput(portTerm, t)
		twice = b.Add(c, c)
	}

	c := b.Inside(body)
	s, err := p.slopesAt(c, inner[0], inner[1])
	if err != nil {
		return nil, fmt.Errorf("build descent on %s: %w", p.Name, err)
	}
	body.AddOutput(c.Identity(again), "")
	for i := range 2 {
		// x - h (∇E + 2c H∇E) + β (x - x before)
		slope := s.gradient[i]
		if penalty {
			slope = c.Add(slope, c.Mul(twice, s.curvings[i]))
		}
		after := c.Sub(inner[i], c.Mul(rate, slope))
		body.AddOutput(c.Add(after, c.Mul(beta, c.Sub(inner[i], inner[2+i]))), "")
	}
	for i := range 2 {
		body.AddOutput(c.Identity(inner[i]), "")
	}
	body.RemoveUnused()
	trips := b.Reshape(steps) // the number of rounds is a scalar
	ends := b.Loop(trips, nil, carried[:], body)
	if err := b.Err(); err != nil {
		return nil, fmt.Errorf("build descent on %s: %w", p.Name, err)
	}
	for i, v := range ends {
		g.AddOutput(v, carried[i].Name+".next")
	}
	return planeModel(b, g)
}

func planeModel(b *op.Builder, g *onnx.Graph) (*onnx.Model, error) {
	if err := b.Err(); err != nil {
		return nil, err
	}
	g.RemoveUnused()
	m := &onnx.Model{ProducerName: "graft", Graph: g}
	m.Declare(planeOpset)
	return m, nil
}
