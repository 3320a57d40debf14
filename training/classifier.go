package training

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"graft/onnx"
	"graft/onnx/limits"
	"graft/runtime"
	"graft/training/dataset"
)

// Classifier runs a network whose weights are given with each call on labelled samples, and tells what becomes of each sample.
type Classifier struct {
	gated   *Gated
	session *runtime.Session
	Classes int64
}

// Classified is what becomes of a batch.
type Classified struct {
	Losses []float64    // cross-entropy of each sample, in float64 from the logits on
	Logits *onnx.Tensor // float [N,C]
	Labels []int64      // valid during the call
}

const outputLosses = "graft.losses"

// NewClassifier opens the network of g as it infers. Its loss must be the cross-entropy of one label a sample.
func (g *Gated) NewClassifier(o runtime.Options) (*Classifier, error) {
	c, err := g.newClassifier(o)
	if err != nil {
		return nil, fmt.Errorf("classify: %w", err)
	}
	return c, nil
}

func (g *Gated) newClassifier(o runtime.Options) (*Classifier, error) {
	p := g.plan
	classes, err := p.classes()
	if err != nil {
		return nil, err
	}
	f, err := p.form(false)
	if err != nil {
		return nil, err
	}
	y := f.g.Outputs()[1+p.outputIndex]
	if n := behindIdentity(y).Producer(); p.behind {
		y = n.Input(0)
	}
	// l_i = -log softmax(y_i)_label
	logs := f.b.LogSoftmax(f.b.Cast(y, onnx.Double), 1)
	losses := f.b.Neg(f.b.Squeeze(f.b.GatherElements(logs, f.b.Unsqueeze(f.g.Lookup(p.target), 1), 1), 1))
	f.g.SetOutputs()
	f.out(losses, outputLosses)
	f.out(f.b.Identity(y), "graft.logits")
	if err := f.b.Err(); err != nil {
		return nil, err
	}
	f.g.RemoveUnused()
	data, err := f.m.Encode()
	if err != nil {
		return nil, err
	}
	c := &Classifier{gated: g, Classes: classes}
	c.session, err = runtime.Open(data, o)
	return c, err
}

// classes is how many classes the output has, one label being given for a sample.
func (p *plan) classes() (int64, error) {
	if p.target != InputLabels {
		return 0, errors.New("the loss compares with no labels")
	}
	logits := p.base.Graph.Outputs()[p.outputIndex]
	shape := logits.Type.Shape
	if len(shape) != 2 || !shape[1].Known() || shape[1].Size < 2 {
		return 0, fmt.Errorf("output %s is %v, a classifier gives float [N C] with a known number of classes", limits.Name(p.output), logits.Type)
	}
	return shape[1].Size, nil
}

// Close frees the session.
func (c *Classifier) Close() error { return c.session.Close() }

// Each runs one epoch of data with packed weights and running statistics, nil being those of the file, and shows every batch.
func (c *Classifier) Each(ctx context.Context, weights *onnx.Tensor, buffers map[string]*onnx.Tensor, data *dataset.Batches, see func(Classified) error) error {
	return c.EachDrawn(ctx, func(int64) *onnx.Tensor { return weights }, buffers, data, see)
}

// EachDrawn is Each with weights for each batch of the epoch, the first being 0. They may be one tensor whose contents change.
func (c *Classifier) EachDrawn(ctx context.Context, weights func(batch int64) *onnx.Tensor, buffers map[string]*onnx.Tensor, data *dataset.Batches, see func(Classified) error) error {
	fixed := map[string]*onnx.Tensor{}
	if buffers == nil {
		buffers = c.gated.Buffers()
	}
	var before *onnx.Tensor
	for step := int64(1); step <= data.PerEpoch(); step++ {
		w := weights(step - 1)
		if w != before {
			for _, t := range c.gated.plan.packing.Unpack(w) {
				fixed[t.Name] = t
			}
		}
		before = w
		given, err := data.At(step)
		if err != nil {
			return fmt.Errorf("classify: %w", err)
		}
		labels := given[InputLabels]
		if labels == nil {
			return fmt.Errorf("classify: the data have no %s", InputLabels)
		}
		if i := slices.IndexFunc(labels.Int64s(), func(l int64) bool { return l < 0 || l >= c.Classes }); i >= 0 {
			return limits.Refuse("array "+InputLabels, "class %d, the model has classes 0 to %d", labels.Int64s()[i], c.Classes-1)
		}
		out, err := c.session.Run(ctx, feedsOf(c.session, fixed, buffers, given))
		if err != nil {
			return fmt.Errorf("classify: %w", err)
		}
		if err := see(Classified{Losses: onnx.Read[float64](out[outputLosses]), Logits: out["graft.logits"], Labels: labels.Int64s()}); err != nil {
			return err
		}
	}
	return nil
}

// Score is Each's mean loss, and the part of the samples whose largest logit is the label. A logit that is not a number is
// the largest of none.
func (c *Classifier) Score(ctx context.Context, weights *onnx.Tensor, buffers map[string]*onnx.Tensor, data *dataset.Batches) (*Evaluation, error) {
	e, right := &Evaluation{}, 0
	err := c.Each(ctx, weights, buffers, data, func(k Classified) error {
		for _, l := range k.Losses {
			e.Loss += l
		}
		e.Samples += int64(len(k.Labels))
		right += k.Right()
		return nil
	})
	if err != nil {
		return nil, err
	}
	e.Loss /= float64(e.Samples)
	accuracy := float64(right) / float64(e.Samples)
	e.Accuracy = &accuracy
	return e, nil
}

// Right counts the samples whose label is the class of the largest logit.
func (k Classified) Right() (right int) {
	n := len(k.Logits.Float32s()) / len(k.Labels)
	for i, label := range k.Labels {
		row := k.Logits.Float32s()[i*n : (i+1)*n]
		if Largest(row) == int(label) {
			right++
		}
	}
	return right
}

// Largest is the index of the first largest element; -1 where one is not a number.
func Largest(row []float32) int {
	best := 0
	for i, x := range row {
		if math.IsNaN(float64(x)) {
			return -1
		}
		if x > row[best] {
			best = i
		}
	}
	return best
}
