package training

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"graft/onnx"
	"graft/onnx/atomicfile"
	"graft/onnx/limits"
)

// Files of a folder of artifacts.
const (
	TrainingFile  = "training_model.onnx"
	EvalFile      = "eval_model.onnx"
	OptimizerFile = "optimizer_model.onnx"
	FusedFile     = "fused_model.onnx"
	ContractFile  = "contract.json"
	CheckpointDir = "checkpoint"
)

const contractFormat = 1

// Contract is contract.json: everything that a program needs to train with the artifacts.
type Contract struct {
	Format       int                      `json:"format"`
	Producer     string                   `json:"producer"`
	Loss         string                   `json:"loss"`
	Optimizer    string                   `json:"optimizer"`
	LearningRate float64                  `json:"learning_rate"` // the optimizer's usual one
	ClipNorm     float64                  `json:"clip_norm,omitempty"`
	Output       string                   `json:"output"` // the output that the loss reads
	Target       ContractPort             `json:"target"`
	Inputs       []ContractPort           `json:"inputs"`  // the user's
	Outputs      []ContractPort           `json:"outputs"` // the user's, in the training model
	Parameters   []ContractPort           `json:"parameters"`
	Frozen       []string                 `json:"frozen"` // parameters that stay constants of the models
	Buffers      []ContractPort           `json:"buffers"`
	Slots        []string                 `json:"slots"` // <p>.<slot> is an input of the optimizer, zero before step 1
	Models       map[string]ContractModel `json:"models"`
	Notes        []string                 `json:"notes"`
}

// ContractModel is one of the model files.
type ContractModel struct {
	File    string         `json:"file"`
	SHA256  string         `json:"sha256"`
	Opset   int64          `json:"opset"`
	Nodes   int            `json:"nodes"`
	Inputs  []ContractPort `json:"inputs"`
	Outputs []ContractPort `json:"outputs"`
}

// ContractPort is an input or output. A free dimension is its symbol, or "?".
type ContractPort struct {
	Name  string `json:"name"`
	DType string `json:"dtype"`
	Shape []any  `json:"shape"`
}

func port(v *onnx.Value) ContractPort {
	p := ContractPort{Name: v.Name, DType: v.Type.DType.String(), Shape: []any{}}
	for _, d := range v.Type.Shape {
		if d.Known() {
			p.Shape = append(p.Shape, d.Size)
		} else {
			p.Shape = append(p.Shape, d.String())
		}
	}
	return p
}

func ports(list []*onnx.Value) []ContractPort {
	out := make([]ContractPort, len(list))
	for i, v := range list {
		out[i] = port(v)
	}
	return out
}

// models pairs the artifacts with their files.
func (a *Artifacts) models() []struct {
	key, file string
	model     *onnx.Model
} {
	return []struct {
		key, file string
		model     *onnx.Model
	}{{"training", TrainingFile, a.Training}, {"eval", EvalFile, a.Eval}, {"optimizer", OptimizerFile, a.Optimizer}, {"fused", FusedFile, a.Fused.Model}}
}

// describe fills the contract in.
func (a *Artifacts) describe(p *plan) error {
	var user []*onnx.Value
	for _, v := range p.base.Graph.Inputs() {
		if !v.IsInitializer() {
			user = append(user, v)
		}
	}
	c := Contract{Format: contractFormat, Producer: "graft", Loss: p.Loss.Name, Optimizer: p.Optimizer.Name,
		LearningRate: p.Optimizer.LearningRate, ClipNorm: p.ClipNorm, Output: p.output, Inputs: ports(user), Parameters: ports(p.params),
		Frozen: []string{}, Buffers: ports(p.buffers), Slots: slices.Clone(p.Optimizer.Slots), Models: map[string]ContractModel{},
		Notes: append([]string{}, p.notes...)}
	c.Target = port(&onnx.Value{Name: p.target, Type: p.targetType})
	if c.Slots == nil {
		c.Slots = []string{}
	}
	for _, v := range p.frozen {
		c.Frozen = append(c.Frozen, v.Name)
	}
	outputs := a.Training.Graph.Outputs()
	c.Outputs = ports(outputs[1 : 1+len(p.base.Graph.Outputs())])
	for _, m := range a.models() {
		data, err := m.model.Encode()
		if err != nil {
			return err
		}
		c.Models[m.key] = ContractModel{File: m.file, SHA256: hashOf(data), Opset: m.model.Opset(""), Nodes: len(m.model.Graph.Nodes()),
			Inputs: ports(m.model.Graph.Inputs()), Outputs: ports(m.model.Graph.Outputs())}
	}
	a.Contract = c
	return nil
}

// Write writes the files into the folder dir, which is there. Each is whole or not there.
func (a *Artifacts) Write(dir string) error {
	for _, m := range a.models() {
		data, err := m.model.Encode()
		if err == nil {
			err = atomicfile.WriteFile(filepath.Join(dir, m.file), data, 0o666)
		}
		if err != nil {
			return fmt.Errorf("write training artifacts: %w", err)
		}
	}
	data, err := json.MarshalIndent(a.Contract, "", "  ")
	if err == nil {
		err = atomicfile.WriteFile(filepath.Join(dir, ContractFile), append(data, '\n'), 0o666)
	}
	if err == nil {
		err = a.Fused.SaveCheckpoint(filepath.Join(dir, CheckpointDir), a.Start, nil)
	}
	if err != nil {
		return fmt.Errorf("write training artifacts: %w", err)
	}
	return nil
}

// OpenArtifacts reads the fused model and the contract in a folder that Write has filled. The models are held against the
// hashes in the contract.
func OpenArtifacts(dir string) (*Step, *Contract, error) {
	s, c, err := openArtifacts(dir)
	if err != nil {
		return nil, nil, fmt.Errorf("read training artifacts: %w", err)
	}
	return s, c, nil
}

func openArtifacts(dir string) (*Step, *Contract, error) {
	data, err := readWhole(filepath.Join(dir, ContractFile), maxStateBytes)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil, limits.InFile(dir, limits.Refuse("", "holds no %s: graft artifacts makes such folders", ContractFile))
	}
	if err != nil {
		return nil, nil, err
	}
	c := &Contract{}
	decoder := json.NewDecoder(bytes.NewReader(data))
	if err := decoder.Decode(c); err != nil || c.Format != contractFormat || c.Producer != "graft" {
		return nil, nil, limits.InFile(filepath.Join(dir, ContractFile), limits.Refuse("", "is no contract of training artifacts of format %d", contractFormat))
	}
	path := filepath.Join(dir, FusedFile)
	const largest = 2 << 30 // of a protobuf file
	if data, err = readWhole(path, largest); err != nil {
		return nil, nil, err
	}
	fingerprint := hashOf(data)
	if fingerprint != c.Models["fused"].SHA256 {
		return nil, nil, limits.InFile(path, limits.Refuse("", "is not the model that %s describes: make the artifacts again", ContractFile))
	}
	m, err := onnx.Decode(data)
	if err != nil {
		return nil, nil, limits.InFile(path, err)
	}
	s := &Step{Model: m, Slots: c.Slots, Output: c.Output, Named: true, fingerprint: fingerprint}
	var params []*onnx.Value
	for _, list := range []struct {
		ports []ContractPort
		to    *[]*onnx.Value
	}{{c.Parameters, &params}, {c.Buffers, &s.Buffers}} {
		for _, p := range list.ports {
			i := slices.IndexFunc(m.Graph.Inputs(), func(v *onnx.Value) bool { return v.Name == p.Name })
			if i < 0 {
				return nil, nil, limits.InFile(path, limits.Refuse("", "has no input %s, which %s names", limits.Name(p.Name), ContractFile))
			}
			*list.to = append(*list.to, m.Graph.Inputs()[i])
		}
	}
	if s.Packing, err = NewPacking(params); err != nil {
		return nil, nil, limits.InFile(path, err)
	}
	return s, c, nil
}

// readWhole reads a regular file of at most most bytes.
func readWhole(path string, most int64) ([]byte, error) {
	f, size, err := limits.OpenRegular(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if size > most {
		return nil, limits.InFile(path, limits.Refuse("", "%d bytes, at most %d", size, most))
	}
	data := make([]byte, size)
	_, err = io.ReadFull(f, data)
	return data, err
}
