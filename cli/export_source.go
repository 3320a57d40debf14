package cli

import (
	"fmt"
	"maps"
	"os"
	"slices"

	"graft/onnx"
	"graft/onnx/limits"
	"graft/onnx/op"
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
		m, err := training.TrainedModel{Checkpoint: from, Average: c.Bool("ema")}.Read(path)
		if err != nil {
			return nil, refused(path, err)
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
