package training

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"

	"graft/onnx"
	"graft/onnx/limits"
	"graft/onnx/safetensors"
)

// openedCheckpoint is a checkpoint folder whose state.json has been read and holds together.
type openedCheckpoint struct {
	dir   string
	root  *os.Root
	state checkpointState
}

func openCheckpoint(dir string) (*openedCheckpoint, error) {
	info, err := os.Lstat(dir)
	if err == nil && !info.IsDir() {
		err = &fs.PathError{Op: "open", Path: dir, Err: errors.New("a checkpoint is a folder")}
	}
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	c := &openedCheckpoint{dir: dir, root: root}
	if err := c.readState(); err != nil {
		root.Close()
		return nil, err
	}
	return c, nil
}

// Close closes the folder.
func (c *openedCheckpoint) Close() error { return c.root.Close() }

func (c *openedCheckpoint) readState() error {
	data, err := c.bytes(stateFile, maxStateBytes)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, &c.state); err != nil {
		return c.refused(stateFile, "is damaged: "+err.Error())
	}
	switch {
	case c.state.Format != checkpointFormat:
		return c.refused(stateFile, fmt.Sprintf("has format %d, this program reads %d", c.state.Format, checkpointFormat))
	case !c.state.sameDocument(data):
		return c.refused(stateFile, "is damaged: it is not what its hash says")
	case c.state.Steps < 0:
		return c.refused(stateFile, "has a negative step count")
	}
	return nil
}

// read gives the tensors of a file by name, once its hash has been found right.
func (c *openedCheckpoint) read(name string) (map[string]*onnx.Tensor, error) {
	const limit = 1 << 40 // memory is asked for as the file has bytes
	data, err := c.bytes(name, limit)
	if err != nil {
		return nil, err
	}
	if hashOf(data) != c.state.Files[name] {
		return nil, c.refused(name, "is damaged: its hash is not the recorded one")
	}
	tensors, _, err := safetensors.Decode(data, filepath.Join(c.dir, name))
	if err != nil {
		return nil, err
	}
	out := make(map[string]*onnx.Tensor, len(tensors))
	for _, t := range tensors {
		out[t.Name] = t
	}
	return out, nil
}

func (c *openedCheckpoint) bytes(name string, limit int64) ([]byte, error) {
	info, err := c.root.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, c.refused(name, "is missing")
	}
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > limit {
		return nil, c.refused(name, fmt.Sprintf("wants a regular file of at most %d bytes", limit))
	}
	f, err := c.root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data := make([]byte, info.Size())
	if _, err := io.ReadFull(f, data); err != nil {
		return nil, c.refused(name, "is damaged: it became shorter while it was read")
	}
	return data, nil
}

// refused says why the checkpoint is not taken, and whether the one before it is there.
func (c *openedCheckpoint) refused(file, reason string) error {
	e := &limits.InputError{File: filepath.Join(c.dir, file), Reason: reason}
	if info, err := os.Lstat(c.dir + previous); err == nil && info.IsDir() {
		return e.WithHint("the checkpoint before it is in %s: graft train --resume --from-previous goes on from there", filepath.Base(c.dir)+previous)
	}
	return e
}

// ReadCheckpoint reads the parameters and buffers that a checkpoint holds, by name, and the number of steps behind them.
// The checkpoint may be of any model: the names say where its tensors belong. Where dir is not there because a write was cut
// off, the previous one is read.
func ReadCheckpoint(dir string) (tensors map[string]*onnx.Tensor, steps int64, err error) {
	return readTensors(dir, false)
}

// ReadAverage is ReadCheckpoint with the moving average of the parameters in their place. A checkpoint without one is an
// error; before the first step it is the parameters.
func ReadAverage(dir string) (tensors map[string]*onnx.Tensor, steps int64, err error) {
	return readTensors(dir, true)
}

func readTensors(dir string, average bool) (tensors map[string]*onnx.Tensor, steps int64, err error) {
	if there, err := checkpointThere(dir); err == nil {
		dir = there
	}
	c, err := openCheckpoint(filepath.Clean(dir))
	if err != nil {
		return nil, 0, fmt.Errorf("read checkpoint: %w", err)
	}
	defer c.Close()
	tensors, err = c.read(parametersFile)
	if err == nil && average && c.state.Steps > 0 {
		err = c.average(tensors)
	}
	if err == nil {
		var buffers map[string]*onnx.Tensor
		buffers, err = c.read(buffersFile)
		maps.Copy(tensors, buffers)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("read checkpoint: %w", err)
	}
	return tensors, c.state.Steps, nil
}

// average puts the moving averages in the places of the parameters.
func (c *openedCheckpoint) average(tensors map[string]*onnx.Tensor) error {
	slots, err := c.read(slotsFile)
	if err != nil {
		return err
	}
	for name, p := range tensors {
		t := slots[name+"."+slotEMA]
		if t == nil {
			return limits.InFile(filepath.Join(c.dir, slotsFile), limits.Refuse("", "has no moving average of %s", limits.Name(name)).
				WithHint("graft artifacts --ema makes artifacts that keep one"))
		}
		if t.Type().String() != p.Type().String() {
			return c.refused(slotsFile, fmt.Sprintf("the moving average of %s is %v, the parameter is %v", limits.Name(name), t.Type(), p.Type()))
		}
		average := *t
		average.Name = name
		tensors[name] = &average
	}
	return nil
}
