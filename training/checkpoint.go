package training

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"graft/onnx"
	"graft/onnx/atomicfile"
	"graft/onnx/safetensors"
)

// A checkpoint is a folder: parameters, slots and buffers by name as safetensors, and state.json, which holds the step
// count, the fingerprint of what was trained, and the other files' hashes. It is written beside and renamed; the one before
// it stays as NAME.previous until the next, so that at every moment one of the two is whole.
const (
	parametersFile   = "parameters.safetensors"
	slotsFile        = "slots.safetensors"
	buffersFile      = "buffers.safetensors"
	maskFile         = "mask.safetensors" // zeros and ones by parameter; only of a training under a mask
	stateFile        = "state.json"
	previous         = ".previous"
	unfinished       = ".next"
	checkpointFormat = 1
	maxStateBytes    = 64 << 20
)

// checkpointState is state.json.
type checkpointState struct {
	Format      int               `json:"format"`
	Steps       int64             `json:"steps"`
	Fingerprint string            `json:"fingerprint"`
	Mask        string            `json:"mask,omitempty"` // SHA-256 of the packed gradient mask
	Files       map[string]string `json:"files"`          // SHA-256 by file name
	Extra       json.RawMessage   `json:"extra,omitempty"`
	Hash        string            `json:"hash"` // SHA-256 of this document with an empty hash
}

// encode is the document with its hash: the same state, the same bytes.
func (c checkpointState) encode() ([]byte, error) {
	c.Hash = ""
	data, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return nil, err
	}
	c.Hash = hashOf(data)
	data, err = json.MarshalIndent(c, "", "  ")
	return append(data, '\n'), err
}

func hashOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// Fingerprint identifies what a step trains and how: a checkpoint of another one is refused.
func (s *Step) Fingerprint() (string, error) {
	if s.fingerprint == "" {
		data, err := s.Model.Encode()
		if err != nil {
			return "", err
		}
		s.fingerprint = hashOf(data)
	}
	return s.fingerprint, nil
}

// SaveCheckpoint writes a snapshot to dir. extra is any JSON value that comes back with it.
func (s *Step) SaveCheckpoint(dir string, snap *Snapshot, extra any) error {
	dir = filepath.Clean(dir)
	if err := s.saveCheckpoint(dir, snap, extra); err != nil {
		return fmt.Errorf("save checkpoint: %w", atomicfile.Wrap(dir, err))
	}
	return nil
}

func (s *Step) saveCheckpoint(dir string, snap *Snapshot, extra any) error {
	c := &checkpointContents{steps: snap.Steps, parameters: s.Packing.Unpack(snap.Trained)}
	if snap.Mask != nil {
		c.mask, c.masks = hashOf(snap.Mask.Data), s.Packing.maskTensors(snap.Mask)
	}
	for _, name := range s.Slots {
		if snap.Slots[name] == nil {
			if snap.Steps > 0 {
				return fmt.Errorf("the state of step %d has no slot %q", snap.Steps, name)
			}
			continue
		}
		for _, t := range s.Packing.Unpack(snap.Slots[name]) {
			t.Name += "." + name
			c.slots = append(c.slots, t)
		}
	}
	for _, v := range s.Buffers {
		t := *snap.Buffers[v.Name]
		t.Name = v.Name
		c.buffers = append(c.buffers, &t)
	}
	return s.writeCheckpoint(dir, c, extra)
}

// checkpointContents is what a checkpoint holds.
type checkpointContents struct {
	steps                      int64
	mask                       string // SHA-256
	parameters, slots, buffers []*onnx.Tensor
	masks                      []*onnx.Tensor // by parameter; nil without a mask
}

func (s *Step) writeCheckpoint(dir string, c *checkpointContents, extra any) error {
	fingerprint, err := s.Fingerprint()
	if err != nil {
		return err
	}
	state := checkpointState{Format: checkpointFormat, Steps: c.steps, Fingerprint: fingerprint, Mask: c.mask, Files: map[string]string{}}
	if extra != nil {
		if state.Extra, err = json.Marshal(extra); err != nil {
			return err
		}
	}
	work := dir + unfinished
	if err := os.RemoveAll(work); err != nil {
		return err
	}
	if err := os.MkdirAll(work, 0o777); err != nil {
		return err
	}
	files := []checkpointFile{{parametersFile, c.parameters}, {slotsFile, c.slots}, {buffersFile, c.buffers}}
	if c.masks != nil {
		files = append(files, checkpointFile{maskFile, c.masks})
	}
	for _, file := range files {
		sum := sha256.New()
		err := atomicfile.Write(filepath.Join(work, file.name), 0o666, func(w io.Writer) error {
			return safetensors.Write(io.MultiWriter(w, sum), file.tensors, nil)
		})
		if err != nil {
			return err
		}
		state.Files[file.name] = hex.EncodeToString(sum.Sum(nil))
	}
	data, err := state.encode()
	if err != nil {
		return err
	}
	if err := atomicfile.WriteFile(filepath.Join(work, stateFile), data, 0o666); err != nil {
		return err
	}
	return rotate(work, dir)
}

// checkpointFile is a file of a checkpoint that is about to be written.
type checkpointFile struct {
	name    string
	tensors []*onnx.Tensor
}

// rotate puts the finished folder in place: dir becomes the previous one.
func rotate(work, dir string) error {
	if err := atomicfile.SyncFolder(work); err != nil {
		return err
	}
	if _, err := os.Lstat(dir); err == nil {
		if err := os.RemoveAll(dir + previous); err != nil {
			return err
		}
		if err := os.Rename(dir, dir+previous); err != nil {
			return err
		}
	}
	if err := os.Rename(work, dir); err != nil {
		return err
	}
	return atomicfile.SyncFolder(filepath.Dir(dir))
}

// ErrNoCheckpoint is that there is nothing to continue from.
var ErrNoCheckpoint = errors.New("no checkpoint")

// LoadCheckpoint reads the snapshot in dir, or the previous one when a write was cut off between the two. A damaged
// checkpoint, and one of another model or another training, is an error that says so. mask becomes the snapshot's: a
// checkpoint that was made under another one is refused; without one the snapshot has the mask that the checkpoint holds.
func (s *Step) LoadCheckpoint(dir string, mask *onnx.Tensor, extra any) (*Snapshot, error) {
	dir, err := checkpointThere(dir)
	if err != nil {
		return nil, err
	}
	snap, err := s.loadCheckpoint(dir, mask, extra)
	if err != nil {
		return nil, fmt.Errorf("read checkpoint: %w", err)
	}
	return snap, nil
}

// ErrOtherStep is that a checkpoint belongs to another model, loss or optimizer.
var ErrOtherStep = errors.New("the checkpoint is of another training step")

type otherStep struct{ error }

func (otherStep) Is(target error) bool { return target == ErrOtherStep }
func (e otherStep) Unwrap() error      { return e.error }

func (s *Step) loadCheckpoint(dir string, mask *onnx.Tensor, extra any) (*Snapshot, error) {
	c, err := openCheckpoint(dir)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	fingerprint, err := s.Fingerprint()
	if err != nil {
		return nil, err
	}
	state := c.state
	if state.Fingerprint != fingerprint {
		return nil, otherStep{c.refused(stateFile, "it belongs to another model, loss or optimizer")}
	}
	if mask != nil && state.Mask != "" && state.Mask != hashOf(mask.Data) {
		return nil, c.refused(stateFile, "it was made under another mask")
	}
	snap := &Snapshot{Steps: state.Steps, Slots: map[string]*onnx.Tensor{}, Mask: mask, Masked: state.Mask != ""}
	if mask == nil && snap.Masked && state.Files[maskFile] != "" {
		if snap.Mask, err = c.mask(s.Packing); err != nil {
			return nil, err
		}
	}
	tensors, err := c.read(parametersFile)
	if err != nil {
		return nil, err
	}
	if snap.Trained, err = s.Packing.Pack(func(name string) *onnx.Tensor { return tensors[name] }); err != nil {
		return nil, c.refused(parametersFile, err.Error())
	}
	if tensors, err = c.read(slotsFile); err != nil {
		return nil, err
	}
	for _, slot := range s.Slots {
		if state.Steps == 0 && !slices.ContainsFunc(s.Packing.Names(), func(name string) bool { return tensors[name+"."+slot] != nil }) {
			continue // as before the first step
		}
		snap.Slots[slot], err = s.Packing.Pack(func(name string) *onnx.Tensor { return tensors[name+"."+slot] })
		if err != nil {
			return nil, c.refused(slotsFile, err.Error())
		}
	}
	if tensors, err = c.read(buffersFile); err != nil {
		return nil, err
	}
	if len(s.Buffers) > 0 {
		snap.Buffers = map[string]*onnx.Tensor{}
	}
	for _, v := range s.Buffers {
		t := tensors[v.Name]
		if t == nil || !t.Type().Shape.Equal(v.Type.Shape) || t.DType != onnx.Float {
			return nil, c.refused(buffersFile, fmt.Sprintf("no buffer %q of %v", v.Name, v.Type))
		}
		snap.Buffers[v.Name] = t
	}
	if extra != nil && state.Extra != nil {
		if err := json.Unmarshal(state.Extra, extra); err != nil {
			return nil, c.refused(stateFile, "extra: "+err.Error())
		}
	}
	return snap, nil
}

// checkpointThere is dir, or the previous checkpoint where dir is not there.
func checkpointThere(dir string) (string, error) {
	dir = filepath.Clean(dir)
	if _, err := os.Lstat(dir); errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Lstat(dir + previous); errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("read checkpoint %s: %w", dir, ErrNoCheckpoint)
		}
		dir += previous
	}
	return dir, nil
}

// sameDocument reports whether data is what encode makes of state: anything else was changed since.
func (c checkpointState) sameDocument(data []byte) bool {
	again, err := c.encode()
	return err == nil && bytes.Equal(again, data)
}
