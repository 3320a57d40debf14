package cli

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"graft/onnx"
	"graft/onnx/limits"
	"graft/onnx/op"
	"graft/onnx/rewrite"
	"graft/training"
)

// exportSource reads the model to export with the weights it is to have: path is a model file, or a folder of training
// artifacts.
func (c *call) exportSource(path string) (*onnx.Model, error) {
	from := c.Text("from")
	info, err := os.Stat(path)
	if err != nil {
		return nil, refused(path, err)
	}
	if info.IsDir() {
		m, err := c.artifactModel(path, from)
		if err != nil {
			return nil, err
		}
		op.InferModel(m)
		return m, nil
	}
	m, err := c.loadModel(path)
	if err != nil {
		return nil, err
	}
	op.InferModel(m)
	if from == "" && c.Bool("ema") {
		return nil, misuse("--ema wants a checkpoint: a folder of training artifacts, or --from")
	}
	if from == "" {
		return m, nil
	}
	tensors, _, err := c.readCheckpoint(from)
	if err != nil {
		return nil, refused(from, err)
	}
	for _, name := range slices.Sorted(maps.Keys(tensors)) {
		if err := setWeight(m.Graph, name, tensors[name]); err != nil {
			return nil, refused(from, fmt.Errorf("checkpoint of another model: %w", err))
		}
	}
	return m, nil
}

// readCheckpoint reads the weights that the line asks for.
func (c *call) readCheckpoint(dir string) (map[string]*onnx.Tensor, int64, error) {
	if c.Bool("ema") {
		return training.ReadAverage(dir)
	}
	return training.ReadCheckpoint(dir)
}

// artifactModel is the user's model in a folder of training artifacts: the evaluation form without the loss, its parameters
// and buffers those of the checkpoint in from, or of the folder's own.
func (c *call) artifactModel(dir, from string) (*onnx.Model, error) {
	_, contract, err := training.OpenArtifacts(dir)
	if err != nil {
		return nil, refused(dir, err)
	}
	path := filepath.Join(dir, training.EvalFile)
	m, err := c.loadModel(path)
	if err != nil {
		return nil, err
	}
	if from == "" {
		from = filepath.Join(dir, training.CheckpointDir)
	}
	tensors, _, err := c.readCheckpoint(from)
	if err != nil {
		return nil, refused(from, err)
	}
	g := m.Graph
	g.SetOutputs(slices.DeleteFunc(g.Outputs(), func(v *onnx.Value) bool { return v.Name == training.OutputLoss })...)
	g.RemoveUnused()
	for _, p := range slices.Concat(contract.Parameters, contract.Buffers) {
		in, t := g.Lookup(p.Name), tensors[p.Name]
		switch {
		case in == nil || !g.IsInput(in):
			return nil, refused(path, fmt.Errorf("has no input %s, which %s names", limits.Name(p.Name), training.ContractFile))
		case t == nil:
			return nil, refused(from, fmt.Errorf("checkpoint of another model: it has no %s", limits.Name(p.Name)))
		case t.Type().String() != in.Type.String():
			return nil, refused(from, fmt.Errorf("checkpoint of another model: %s is %v, the model's is %v", limits.Name(p.Name), t.Type(), in.Type))
		}
		if _, err := rewrite.Bind(g, in, t); err != nil {
			return nil, refused(path, err)
		}
	}
	if target := g.Lookup(contract.Target.Name); target != nil && g.IsInput(target) {
		if err := g.RemoveInput(target); err != nil {
			return nil, refused(path, err)
		}
	}
	g.RemoveUnused()
	return m, nil
}

// setWeight puts t in the place of the weight of that name: an initializer, or a Constant node.
func setWeight(g *onnx.Graph, name string, t *onnx.Tensor) error {
	v := g.Lookup(name)
	if v == nil || !v.IsInitializer() && op.ConstantOf(v) == nil {
		return fmt.Errorf("the model has no weight %s", limits.Name(name))
	}
	if v.Type.String() != t.Type().String() {
		return fmt.Errorf("%s is %v, the model's is %v", limits.Name(name), t.Type(), v.Type)
	}
	if v.IsInitializer() {
		v.Const, v.Sparse = t, nil
		return nil
	}
	v.Name = ""
	return g.ReplaceUses(v, g.AddInitializer(name, t))
}
