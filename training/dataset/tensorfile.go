package dataset

import (
	"encoding/binary"
	"io"
	"strings"

	"graft/onnx"
	"graft/onnx/limits"
	"graft/onnx/safetensors"
	"graft/onnx/strictzip"
)

// ReadTensors reads the tensors of a .npy, .npz or safetensors file. The kind is told by the content, never by the name. The
// tensor of a .npy has no name.
func ReadTensors(path string) ([]*onnx.Tensor, error) {
	f, size, err := limits.OpenRegular(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readTensors(f, size, path)
}

func readTensors(src io.ReaderAt, size int64, name string) ([]*onnx.Tensor, error) {
	head := make([]byte, min(size, limits.RecognizeLen))
	if err := limits.ReadAt(src, head, 0, ""); err != nil {
		return nil, limits.InFile(name, err)
	}
	switch tensorFile(head, size) {
	case "npy":
		t, err := ReadNpy(src, size, name)
		if err != nil {
			return nil, err
		}
		return []*onnx.Tensor{t}, nil
	case "npz":
		return ReadNpz(src, size, name)
	case "safetensors":
		f, err := safetensors.NewFile(src, size, name)
		if err != nil {
			return nil, err
		}
		return f.All()
	}
	if what, _ := limits.Recognize(head, size); what != "" {
		return nil, limits.InFile(name, limits.Refuse("", "is %s: is no .npy, .npz or safetensors file", what))
	}
	return nil, limits.InFile(name, limits.Refuse("", "is no .npy, .npz or safetensors file"))
}

// tensorFile tells a container of arrays by its first bytes; "" for other files.
func tensorFile(head []byte, size int64) string {
	switch {
	case strings.HasPrefix(string(head), npyMagic):
		return "npy"
	case strictzip.IsZip(head):
		return "npz"
	case len(head) >= 9 && head[8] == '{' && binary.LittleEndian.Uint64(head) <= uint64(size):
		return "safetensors"
	}
	return ""
}

// ReadTensor reads a file that holds one tensor.
func ReadTensor(path string) (*onnx.Tensor, error) {
	list, err := ReadTensors(path)
	if err != nil {
		return nil, err
	}
	if len(list) != 1 {
		return nil, limits.InFile(path, limits.Refuse("", "holds %d tensors, one is wanted", len(list)))
	}
	return list[0], nil
}
