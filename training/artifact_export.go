package training

import (
	"fmt"
	"path/filepath"
	"slices"

	"graft/onnx"
	"graft/onnx/limits"
	"graft/onnx/rewrite"
)

// TrainedModel is the user's model in a folder of artifacts, with the parameters and buffers that a checkpoint holds. The
// zero value takes the folder's own checkpoint.
type TrainedModel struct {
	Checkpoint string // folder; empty: the one of the artifacts
	Average    bool   // the moving average in place of the parameters
}

// Read makes the model: the evaluation form without the loss.
func (o TrainedModel) Read(dir string) (*onnx.Model, error) {
	contract, err := readContract(dir)
	if err != nil {
		return nil, fmt.Errorf("read trained model: %w", err)
	}
	from, path := o.Checkpoint, filepath.Join(dir, EvalFile)
	if from == "" {
		from = filepath.Join(dir, CheckpointDir)
	}
	m, err := onnx.Load(path, onnx.LoadOptions{})
	if err != nil {
		return nil, fmt.Errorf("read trained model: %w", err)
	}
	read := ReadCheckpoint
	if o.Average {
		read = ReadAverage
	}
	tensors, _, err := read(from)
	if err != nil {
		return nil, err
	}
	g := m.Graph
	g.SetOutputs(slices.DeleteFunc(g.Outputs(), func(v *onnx.Value) bool { return v.Name == OutputLoss })...)
	g.RemoveUnused()
	inputs := map[string]*onnx.Value{}
	for _, v := range g.Inputs() {
		inputs[v.Name] = v
	}
	for _, p := range slices.Concat(contract.Parameters, contract.Buffers) {
		in, t := inputs[p.Name], tensors[p.Name]
		switch {
		case in == nil && p.Name == BufferLossScale:
			continue
		case in == nil:
			return nil, limits.InFile(path, limits.Refuse("", "has no input %s, which %s names", limits.Name(p.Name), ContractFile))
		case t == nil:
			return nil, limits.InFile(from, limits.Refuse("", "checkpoint of another model: it has no %s", limits.Name(p.Name)))
		case t.Type().String() != in.Type.String():
			return nil, limits.InFile(from, limits.Refuse("", "checkpoint of another model: %s is %v, the model's is %v", limits.Name(p.Name), t.Type(), in.Type))
		}
		if _, err := rewrite.Bind(g, in, t); err != nil {
			return nil, limits.InFile(path, err)
		}
	}
	g.RemoveUnused()
	for _, v := range g.Inputs() {
		if v.NumUses() > 0 || v.Name != contract.Target.Name && !slices.Contains(contract.LossInputs, v.Name) {
			continue
		}
		if err := g.RemoveInput(v); err != nil {
			return nil, limits.InFile(path, err)
		}
	}
	return m, nil
}
