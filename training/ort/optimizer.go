package ort

import (
	"fmt"
	"math"
	"strconv"

	"graft/onnx"
	"graft/onnx/limits"
	"graft/training/optim"
)

// Optimizer is what an optimizer_model.onnx does.
type Optimizer struct {
	optim.Optimizer
	ClipNorm float64 // bound of the gradient's length; 0: none
}

// NewOptimizer reads the settings of an optimizer_model.onnx.
func NewOptimizer(m *onnx.Model) (*Optimizer, error) {
	if m.Graph == nil {
		return nil, limits.Refuse("", "has no graph")
	}
	o := &Optimizer{}
	for _, n := range m.Graph.Nodes() {
		var err error
		switch {
		case n.Domain != "com.microsoft":
		case n.Op == "AdamWOptimizer":
			err = o.adam(n)
		case n.Op == "SGDOptimizerV2":
			o.Optimizer, err = optim.Lookup("sgd")
		case n.Op == "InplaceClipGradNorm":
			o.ClipNorm = float64(onnx.AttrOr(n, "max_norm", float32(1)))
			if !(o.ClipNorm > 0) || math.IsInf(o.ClipNorm, 0) {
				err = limits.Refuse("node "+limits.Name(n.Name), "max_norm is %v", o.ClipNorm)
			}
		default:
			err = limits.Refuse("node "+limits.Name(n.Name), "operator %s is no optimizer of the table", limits.Name(n.Op))
		}
		if err != nil {
			return nil, fmt.Errorf("optimizer: %w", err)
		}
	}
	if o.Update == nil {
		return nil, limits.Refuse("optimizer", "is not there: no AdamWOptimizer, no SGDOptimizerV2")
	}
	return o, nil
}

// adam reads an AdamWOptimizer: adam_mode 0 is PyTorch's AdamW, 1 that of Hugging Face.
func (o *Optimizer) adam(n *onnx.Node) (err error) {
	name := ""
	switch mode := onnx.AttrOr(n, "adam_mode", int64(0)); mode {
	case 0:
		name = "adamw"
	case 1:
		name = "adamw-late"
	default:
		return limits.Refuse("adam_mode", "is %d, neither 0 nor 1", mode)
	}
	if onnx.AttrOr(n, "correct_bias", int64(1)) != 1 {
		return limits.Refuse("correct_bias", "is off, which is not supported")
	}
	setting := func(attr string, usual float32) float64 {
		return shortest(onnx.AttrOr(n, attr, usual))
	}
	o.Optimizer, err = optim.New(name, map[string]float64{"beta1": setting("alpha", 0.9), "beta2": setting("beta", 0.999),
		"eps": setting("epsilon", 1e-8), "weight-decay": setting("weight_decay", 1e-2)})
	return err
}

// shortest is the float64 that the shortest decimal number of a float32 stands for: 0.9, not 0.899999976.
func shortest(v float32) float64 {
	x, err := strconv.ParseFloat(strconv.FormatFloat(float64(v), 'g', -1, 32), 64)
	if err != nil {
		return float64(v)
	}
	return x
}
