package training

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"graft/onnx"
	"graft/onnx/atomicfile"
	"graft/onnx/limits"
)

// PreviousCheckpoint is the folder of the checkpoint before the one in dir.
func PreviousCheckpoint(dir string) string { return filepath.Clean(dir) + previous }

// maskTensors cuts a packed mask into bool tensors by name.
func (p *Packing) maskTensors(mask *onnx.Tensor) []*onnx.Tensor {
	parts := p.Unpack(mask)
	for i, t := range parts {
		parts[i] = onnx.NewTensor(onnx.Bool, t.Dims...)
		parts[i].Name = t.Name
		for j, v := range t.Float32s() {
			if v != 0 {
				parts[i].Data[j] = 1
			}
		}
	}
	return parts
}

// mask reads the packed mask of a checkpoint.
func (c *openedCheckpoint) mask(p *Packing) (*onnx.Tensor, error) {
	tensors, err := c.read(maskFile)
	if err != nil {
		return nil, err
	}
	flat, err := p.Pack(func(name string) *onnx.Tensor {
		t := tensors[name]
		if t == nil || t.DType != onnx.Bool || limits.Bools(t.Data, "mask") != nil {
			return nil
		}
		f := onnx.NewTensor(onnx.Float, t.Dims...)
		for i, v := range t.Data {
			f.Float32s()[i] = float32(v)
		}
		return f
	})
	if err != nil {
		return nil, c.refused(maskFile, err.Error())
	}
	if hashOf(flat.Data) != c.state.Mask {
		return nil, c.refused(maskFile, "is not the mask that "+stateFile+" names")
	}
	return flat, nil
}

// RestorePrevious makes the checkpoint before the one in dir the current one; that one is kept as NAME.damaged. The previous
// one should have been loaded before.
func RestorePrevious(dir string) error {
	dir = filepath.Clean(dir)
	const damaged = ".damaged"
	err := os.RemoveAll(dir + damaged)
	if err == nil {
		if err = os.Rename(dir, dir+damaged); errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
	}
	if err == nil { // cut off here, the previous one is what a reader finds
		err = os.Rename(dir+previous, dir)
	}
	if err == nil {
		err = atomicfile.SyncFolder(filepath.Dir(dir))
	}
	if err != nil {
		return fmt.Errorf("restore checkpoint: %w", atomicfile.Wrap(dir, err))
	}
	return nil
}
