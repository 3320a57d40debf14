package training

import (
	"context"
	"fmt"
	"path/filepath"

	"graft/onnx"
	"graft/onnx/limits"
	"graft/runtime"
	"graft/training/dataset"
	"graft/training/loss"
)

// Evaluator runs the evaluation form of training artifacts.
type Evaluator struct {
	contract *Contract
	packing  *Packing
	session  *runtime.Session
}

// Evaluation is what an evaluation says: means over all samples.
type Evaluation struct {
	Loss     float64
	Accuracy *float64 // of the largest output along the axis of the classes; nil without labels
	Samples  int64
}

// OpenEval reads the evaluation model in a folder of artifacts.
func OpenEval(dir string, c *Contract) (*onnx.Model, error) {
	path := filepath.Join(dir, EvalFile)
	hash, err := limits.HashFile(path)
	if err != nil {
		return nil, fmt.Errorf("read training artifacts: %w", err)
	}
	if hash != c.Models["eval"].SHA256 {
		return nil, limits.InFile(path, limits.Refuse("", "is not the model that %s describes: make the artifacts again", ContractFile))
	}
	return onnx.Load(path, onnx.LoadOptions{})
}

// NewEvaluator opens the evaluation model of artifacts whose parameters are packed as the step's.
func NewEvaluator(m *onnx.Model, c *Contract, s *Step, o runtime.Options) (*Evaluator, error) {
	data, err := m.Encode()
	if err != nil {
		return nil, fmt.Errorf("evaluate: %w", err)
	}
	session, err := runtime.Open(data, o)
	if err != nil {
		return nil, err
	}
	return &Evaluator{contract: c, packing: s.Packing, session: session}, nil
}

// Close frees the session.
func (e *Evaluator) Close() error { return e.session.Close() }

// Evaluate runs the model with a snapshot's parameters and buffers over one epoch of data.
func (e *Evaluator) Evaluate(ctx context.Context, s *Snapshot, data *dataset.Batches) (*Evaluation, error) {
	fixed := map[string]*onnx.Tensor{}
	for _, t := range e.packing.Unpack(s.Trained) {
		fixed[t.Name] = t
	}
	for name, t := range s.Buffers {
		fixed[name] = t
	}
	wanted := []string{OutputLoss}
	labelled := e.contract.Target.Name == InputLabels
	if labelled {
		wanted = append(wanted, e.contract.Output)
	}
	out := &Evaluation{}
	var right, judged int64
	for step := int64(1); step <= data.PerEpoch(); step++ {
		given, err := data.At(step)
		if err != nil {
			return nil, fmt.Errorf("evaluate: %w", err)
		}
		feeds := map[string]*onnx.Tensor{}
		for _, in := range e.contract.Models["eval"].Inputs {
			if feeds[in.Name] = given[in.Name]; fixed[in.Name] != nil {
				feeds[in.Name] = fixed[in.Name]
			}
		}
		got, err := e.session.Run(ctx, feeds, wanted...)
		if err != nil {
			return nil, fmt.Errorf("evaluate: %w", err)
		}
		if got[OutputLoss].Len() != 1 {
			return nil, fmt.Errorf("evaluate: output %q is no single float", OutputLoss)
		}
		n := data.Count(step)
		out.Loss += float64(got[OutputLoss].Float32s()[0]) * float64(n)
		out.Samples += n
		if labelled {
			r, j := hits(got[e.contract.Output], given[InputLabels], e.contract.LossSettings[loss.ClassAxis] < 0)
			right, judged = right+r, judged+j
		}
	}
	out.Loss /= float64(out.Samples)
	if judged > 0 {
		accuracy := float64(right) / float64(judged)
		out.Accuracy = &accuracy
	}
	return out, nil
}

// hits counts the positions of output [N,C,...], or [N,...,C] where the classes are last, whose largest element along the axis of the
// classes is the label [N,...], and all positions. Labels that are no class are left out.
func hits(output, labels *onnx.Tensor, last bool) (right, judged int64) {
	if output == nil || labels == nil || labels.DType != onnx.Int64 || output.DType != onnx.Float || len(output.Dims) < 2 {
		return 0, 0
	}
	classes, inner := output.Dims[len(output.Dims)-1], int64(1)
	if !last {
		classes = output.Dims[1]
		for _, d := range output.Dims[2:] {
			inner *= d
		}
	}
	values, names := output.Float32s(), labels.Int64s()
	if int64(len(names))*classes != int64(len(values)) {
		return 0, 0
	}
	for i, label := range names {
		if label < 0 || label >= classes {
			continue
		}
		at := int64(i)/inner*classes*inner + int64(i)%inner
		best := int64(0)
		for c := range classes {
			if values[at+c*inner] > values[at+best*inner] {
				best = c
			}
		}
		judged++
		if best == label {
			right++
		}
	}
	return right, judged
}
