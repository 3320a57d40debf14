package training

import (
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

// Write writes the files into the folder dir, which is there. Each is whole or not there.
func (a *Artifacts) Write(dir string) error {
	for _, m := range a.models() {
		write := m.model.EncodeTo
		if data := a.encoded[m.key]; data != nil {
			write = func(w io.Writer) error {
				_, err := w.Write(data)
				return err
			}
		}
		if err := atomicfile.Write(filepath.Join(dir, m.file), 0o666, write); err != nil {
			return fmt.Errorf("write training artifacts: %w", err)
		}
	}
	data, err := json.MarshalIndent(a.Contract, "", "  ")
	if err == nil {
		err = atomicfile.WriteFile(filepath.Join(dir, ContractFile), append(data, '\n'), 0o666)
	}
	if err == nil {
		err = a.saveStart(filepath.Join(dir, CheckpointDir))
	}
	if err != nil {
		return fmt.Errorf("write training artifacts: %w", err)
	}
	return nil
}

// saveStart writes the first checkpoint. Slots at their beginning, which is known, are not in it.
func (a *Artifacts) saveStart(dir string) error {
	return a.Fused.writeCheckpoint(dir, &checkpointContents{steps: a.steps, parameters: a.params, slots: a.slots, buffers: a.buffers}, nil)
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
	c, err := readContract(dir)
	if err != nil {
		return nil, nil, err
	}
	path := filepath.Join(dir, FusedFile)
	fingerprint, err := limits.HashFile(path)
	if err != nil {
		return nil, nil, err
	}
	if fingerprint != c.Models["fused"].SHA256 {
		return nil, nil, limits.InFile(path, limits.Refuse("", "is not the model that %s describes: make the artifacts again", ContractFile))
	}
	m, err := onnx.Load(path, onnx.LoadOptions{})
	if err != nil {
		return nil, nil, err
	}
	s := &Step{Model: m, Slots: c.fusedSlots(), Output: c.Output, Named: true, fingerprint: fingerprint}
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

// readContract reads the contract in a folder of artifacts.
func readContract(dir string) (*Contract, error) {
	data, err := readWhole(filepath.Join(dir, ContractFile), maxStateBytes)
	if errors.Is(err, os.ErrNotExist) {
		return nil, limits.InFile(dir, limits.Refuse("", "holds no %s: graft artifacts makes such folders", ContractFile))
	}
	if err != nil {
		return nil, err
	}
	c := &Contract{}
	if err := json.Unmarshal(data, c); err != nil || c.Format != contractFormat || c.Producer != "graft" {
		return nil, limits.InFile(filepath.Join(dir, ContractFile), limits.Refuse("", "is no contract of training artifacts of format %d", contractFormat))
	}
	return c, nil
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
