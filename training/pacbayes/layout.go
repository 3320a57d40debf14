package pacbayes

import (
	"fmt"

	"graft/onnx"
	"graft/onnx/op"
	"graft/training"
)

// Prior says how many scales the prior has.
type Prior string

// Kinds of prior.
const (
	Layer  Prior = "layer"  // one for each tensor
	Scalar Prior = "scalar" // one for all
)

// Priors lists the kinds.
var Priors = []string{string(Layer), string(Scalar)}

// Names behind those of the weights in what is trained.
const (
	suffixPosterior = ".log_sigma"
	namePrior       = "prior.log_scale"
)

// layout is how weights w, the posterior's p = log sigma and the prior's b = log scale are packed: [w; p; b].
type layout struct {
	weights *training.Packing
	trained *training.Packing
	groups  []int64 // elements that share an element of b
}

func newLayout(parameters []*onnx.Value, prior Prior) (*layout, error) {
	weights, err := training.NewPacking(parameters)
	if err != nil {
		return nil, err
	}
	l := &layout{weights: weights}
	values := append([]*onnx.Value{}, parameters...)
	for _, v := range parameters {
		values = append(values, &onnx.Value{Name: v.Name + suffixPosterior, Type: v.Type})
		n := int64(1)
		for _, d := range v.Type.Shape {
			n *= d.Size
		}
		l.groups = append(l.groups, n)
	}
	switch prior {
	case "", Layer:
	case Scalar:
		l.groups = []int64{weights.Len()}
	default:
		return nil, fmt.Errorf("no such prior: %q", prior)
	}
	values = append(values, &onnx.Value{Name: namePrior, Type: onnx.TypeOf(onnx.Float, int64(len(l.groups)))})
	l.trained, err = training.NewPacking(values)
	return l, err
}

// parts cuts the packed vector into w, p and b.
func (l *layout) parts(b *op.Builder, trained *onnx.Value) (w, p, scales *onnx.Value) {
	d := l.weights.Len()
	parts := b.Split(trained, 0, d, d, int64(len(l.groups)))
	if b.Err() != nil {
		return nil, nil, nil
	}
	return parts[0], parts[1], parts[2]
}

// split cuts a vector of as many elements as there are weights by groups.
func (l *layout) split(b *op.Builder, x *onnx.Value) []*onnx.Value {
	if len(l.groups) == 1 {
		return []*onnx.Value{x}
	}
	return b.Split(x, 0, l.groups...)
}

// cut is parts of a tensor, without copying.
func (l *layout) cut(trained *onnx.Tensor) (w, p, scales []float32) {
	d := l.weights.Len()
	all := trained.Float32s()
	return all[:d], all[d : 2*d], all[2*d:]
}
