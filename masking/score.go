package masking

import (
	"fmt"
	"strings"

	"graft/onnx"
	"graft/onnx/op"
)

// Score is a pruning method: it says of every element of a parameter how much it is worth keeping.
type Score struct {
	Name string
	Doc  string // one line
	Rule
	Scope Scope // what is compared by the paper; empty: all weights
	// OES is the rule that the authors of Optimal Eye Surgeon have in their code, where that differs; nil: it does not.
	// OESLocal is theirs where each tensor is judged for itself; nil: the same.
	OES, OESLocal *Rule
}

// Rule is how a score is taken.
type Rule struct {
	Needs Need // what Of reads of the evidence beside the weights
	// Rounds is in how many rounds weights go, the kept fraction falling exponentially and the evidence being taken anew of
	// what is left; 0 is one round.
	Rounds int
	// Of gives one number for each element of a parameter; larger means keep.
	Of func(Evidence) []float32
}

// For is the rule by which a choice is made.
func (s Score) For(c Choice) Rule {
	switch {
	case c.OES && c.Scope != Global && c.Scope != "" && s.OESLocal != nil:
		return *s.OESLocal
	case c.OES && s.OES != nil:
		return *s.OES
	}
	return s.Rule
}

// Need is a set of kinds of evidence.
type Need uint8

// Kinds of evidence. Weights alone need no data; the others take runs of the model.
const (
	NeedGradient        Need = 1 << iota // Evidence.Gradient
	NeedHessianGradient                  // Evidence.HessianGradient
	NeedFlow                             // Evidence.Flow
	NeedInputNorm                        // Evidence.InputNorm
	NeedHessianWeight                    // Evidence.HessianWeight
	NeedOutputGradient                   // Evidence.OutputGradient
	NeedDeviation                        // Evidence.Deviation
)

// NeedLoss are the kinds of evidence that a loss is needed for, NeedData those for which samples are.
const (
	NeedLoss = NeedGradient | NeedHessianGradient | NeedHessianWeight
	NeedData = NeedLoss | NeedInputNorm | NeedOutputGradient
)

// Evidence is what a score sees of one parameter: its name, and numbers for each element, in the tensor's order.
type Evidence struct {
	Name string
	Dims []int64
	Seed uint64 // of scores by chance
	// Output and Input are the axes of a product's weight that count its outputs and its inputs; -1: there is none.
	Output, Input int

	// Weight is nil where Read gives it, anew each time: not all tensors are held at once.
	Weight          []float32
	Read            func() []float32
	Gradient        []float32 // of the mean loss
	HessianGradient []float32 // the loss's second derivative times its gradient
	HessianWeight   []float32 // the same times the weights
	OutputGradient  []float32 // gradient of the sum of the outputs
	Flow            []float32 // gradient of the sum of outputs where all weights are absolute values and all inputs one
	Deviation       []float32 // of a posterior of the weights; nil: the parameter has none
	InputNorm       []float32 // Euclidean norm over samples and places of what the element is multiplied with
}

// count is the number of elements.
func (e *Evidence) count() int64 {
	n := int64(1)
	for _, d := range e.Dims {
		n *= d
	}
	return n
}

// WeightEvidence is what there is to see of a float initializer without running the model.
func WeightEvidence(v *onnx.Value, seed uint64) Evidence {
	e := Evidence{Name: v.Name, Dims: v.Const.Dims, Seed: seed, Read: func() []float32 { return readFloats(v.Const) }}
	e.Output, e.Input = op.WeightAxes(v)
	return e
}

// readFloats gives a tensor's elements, which are not to be written to.
func readFloats(t *onnx.Tensor) []float32 {
	if t.DType == onnx.Float {
		return onnx.Read[float32](t)
	}
	values, _ := t.Reals()
	floats := make([]float32, len(values))
	for i, x := range values {
		floats[i] = float32(x)
	}
	return floats
}

// Scores lists the methods by name.
var Scores = []Score{magnitude, random, snip, grasp, synflow, wanda, posteriorNoise}

// FindScore looks a method up; the error lists the names there are.
func FindScore(name string) (Score, error) {
	for _, s := range Scores {
		if s.Name == name {
			return s, nil
		}
	}
	return Score{}, fmt.Errorf("unknown pruning method %q: there are %s", name, strings.Join(ScoreNames(), ", "))
}

// ScoreNames lists the names of the methods.
func ScoreNames() []string {
	names := make([]string, len(Scores))
	for i, s := range Scores {
		names[i] = s.Name
	}
	return names
}

// each is the score that f gives one element after the other.
func each(f func(e *Evidence, i int) float32) func(Evidence) []float32 {
	return func(e Evidence) []float32 {
		scores := make([]float32, len(e.Weight))
		for i := range scores {
			scores[i] = f(&e, i)
		}
		return scores
	}
}

func abs(x float32) float32 { return max(x, -x) }
