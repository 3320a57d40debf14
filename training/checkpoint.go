package training

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"graft/onnx"
	"graft/onnx/limits"
	"graft/onnx/safetensors"
)

// A checkpoint is a folder: parameters and slots by name as safetensors, and state.json, which holds the step count, the
// fingerprint of what was trained, and the other files' hashes. It is written beside and renamed; the one before it stays
// as NAME.previous until the next, so that at every moment one of the two is whole.
const (
	parametersFile   = "parameters.safetensors"
	slotsFile        = "slots.safetensors"
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
	Files       map[string]string `json:"files"` // SHA-256 by file name
	Extra       json.RawMessage   `json:"extra,omitempty"`
}

// Fingerprint identifies what a step trains and how: a checkpoint of another one is refused.
func (s *Step) Fingerprint() (string, error) {
	data, err := s.Model.Encode()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:]), nil
}

// SaveCheckpoint writes a snapshot to dir. extra is any JSON value that comes back with it.
func (s *Step) SaveCheckpoint(dir string, snap *Snapshot, extra any) error {
	if err := s.saveCheckpoint(dir, snap, extra); err != nil {
		return fmt.Errorf("write checkpoint %s: %w", dir, err)
	}
	return nil
}

func (s *Step) saveCheckpoint(dir string, snap *Snapshot, extra any) error {
	fingerprint, err := s.Fingerprint()
	if err != nil {
		return err
	}
	state := checkpointState{Format: checkpointFormat, Steps: snap.Steps, Fingerprint: fingerprint, Files: map[string]string{}}
	if state.Extra, err = json.Marshal(extra); err != nil {
		return err
	}
	work := dir + unfinished
	if err := os.RemoveAll(work); err != nil {
		return err
	}
	if err := os.MkdirAll(work, 0o777); err != nil {
		return err
	}
	var slots []*onnx.Tensor
	for _, name := range s.Slots {
		for _, t := range s.Packing.Unpack(snap.Slots[name]) {
			t.Name += "." + name
			slots = append(slots, t)
		}
	}
	for name, tensors := range map[string][]*onnx.Tensor{parametersFile: s.Packing.Unpack(snap.Trained), slotsFile: slots} {
		data, err := safetensors.Encode(tensors, nil)
		if err != nil {
			return err
		}
		if err := writeSynced(filepath.Join(work, name), data); err != nil {
			return err
		}
		sum := sha256.Sum256(data)
		state.Files[name] = hex.EncodeToString(sum[:])
	}
	data, err := json.MarshalIndent(state, "", "  ")
	if err != nil {
		return err
	}
	if err := writeSynced(filepath.Join(work, stateFile), append(data, '\n')); err != nil {
		return err
	}
	return rotate(work, dir)
}

// rotate puts the finished folder in place: dir becomes the previous one.
func rotate(work, dir string) error {
	if err := syncDir(work); err != nil {
		return err
	}
	if _, err := os.Stat(dir); err == nil {
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
	return syncDir(filepath.Dir(dir))
}

// ErrNoCheckpoint is that there is nothing to continue from.
var ErrNoCheckpoint = errors.New("no checkpoint")

// LoadCheckpoint reads the snapshot in dir, or the previous one when a write was cut off between the two. A damaged
// checkpoint, and one of another model or another training, is an error that says so.
func (s *Step) LoadCheckpoint(dir string, mask *onnx.Tensor, extra any) (*Snapshot, error) {
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Stat(dir + previous); errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("read checkpoint %s: %w", dir, ErrNoCheckpoint)
		}
		dir += previous
	}
	snap, err := s.loadCheckpoint(dir, extra)
	if err != nil {
		return nil, fmt.Errorf("read checkpoint %s: %w", dir, err)
	}
	snap.Mask = mask
	return snap, nil
}

func (s *Step) loadCheckpoint(dir string, extra any) (*Snapshot, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	data, err := readLimited(root, stateFile, maxStateBytes)
	if err != nil {
		return nil, err
	}
	var state checkpointState
	if err := json.Unmarshal(data, &state); err != nil {
		return nil, refused(stateFile, "is not JSON: "+err.Error())
	}
	if state.Format != checkpointFormat {
		return nil, refused(stateFile, fmt.Sprintf("format %d, this program reads %d", state.Format, checkpointFormat))
	}
	fingerprint, err := s.Fingerprint()
	if err != nil {
		return nil, err
	}
	if state.Fingerprint != fingerprint {
		return nil, refused(stateFile, "it belongs to another model or other settings")
	}
	if state.Steps < 0 {
		return nil, refused(stateFile, "negative step count")
	}
	snap := &Snapshot{Steps: state.Steps, Slots: map[string]*onnx.Tensor{}}
	limit := (s.Packing.Len()*4 + 1<<20) * int64(len(s.Slots)+1)
	params, err := readHashed(root, parametersFile, state.Files, limit)
	if err != nil {
		return nil, err
	}
	if snap.Trained, err = s.Packing.Pack(func(name string) *onnx.Tensor { return params[name] }); err != nil {
		return nil, refused(parametersFile, err.Error())
	}
	slots, err := readHashed(root, slotsFile, state.Files, limit)
	if err != nil {
		return nil, err
	}
	for _, slot := range s.Slots {
		if snap.Slots[slot], err = s.Packing.Pack(func(name string) *onnx.Tensor { return slots[name+"."+slot] }); err != nil {
			return nil, refused(slotsFile, err.Error())
		}
	}
	if extra != nil && state.Extra != nil {
		if err := json.Unmarshal(state.Extra, extra); err != nil {
			return nil, refused(stateFile, err.Error())
		}
	}
	return snap, nil
}

func readHashed(root *os.Root, name string, hashes map[string]string, limit int64) (map[string]*onnx.Tensor, error) {
	data, err := readLimited(root, name, limit)
	if err != nil {
		return nil, err
	}
	if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != hashes[name] {
		return nil, refused(name, "its hash is not the recorded one: the file is damaged")
	}
	tensors, _, err := safetensors.Decode(data, name)
	if err != nil {
		return nil, err
	}
	out := map[string]*onnx.Tensor{}
	for _, t := range tensors {
		out[t.Name] = t
	}
	return out, nil
}

func readLimited(root *os.Root, name string, limit int64) ([]byte, error) {
	info, err := root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > limit {
		return nil, refused(name, fmt.Sprintf("wants a regular file of at most %d bytes", limit))
	}
	return root.ReadFile(name)
}

func refused(file, reason string) error {
	return (&limits.InputError{Field: file, Reason: reason}).WithHint("start again without --resume, or put the folder *%s in its place", previous)
}

// writeSynced writes a file and waits until it is on the disk.
func writeSynced(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Sync(), f.Close())
}

// syncDir makes the names in a folder durable, where the system can.
func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, errors.ErrUnsupported) && !errors.Is(err, fs.ErrInvalid) {
		return err
	}
	return nil
}
