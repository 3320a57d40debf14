package cli

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"

	"graft/export/pickle"
	"graft/onnx"
	"graft/onnx/limits"
	"graft/onnx/safetensors"
)

// pyTorchExtensions are those of PyTorch's files.
var pyTorchExtensions = []string{".bin", ".pt", ".pth"}

// readIndex reads model.safetensors.index.json or pytorch_model.bin.index.json and the weights beside it.
func readIndex(_ *call, path string) (*content, error) {
	shards, err := safetensors.ReadShards(path, append([]string{".safetensors"}, pyTorchExtensions...)...)
	if err != nil {
		return nil, refused(path, err)
	}
	of := func(file string) bool { return strings.HasSuffix(file, ".safetensors") }
	switch {
	case !slices.ContainsFunc(shards.Files, of):
		return readPyTorchShards(path, shards)
	case slices.ContainsFunc(shards.Files, func(file string) bool { return !of(file) }):
		return nil, refused(path, errors.New("names files of safetensors and of PyTorch"))
	}
	x, err := safetensors.OpenIndex(path)
	if err != nil {
		return nil, refused(path, err)
	}
	w := &content{close: func() { _ = x.Close() }}
	for _, e := range x.Entries() {
		w.weights = append(w.weights, weight{e.Name, e.DType, e.Dims, func() (*onnx.Tensor, error) { return x.Tensor(e.Name) }})
	}
	return w, nil
}

// readPyTorchShards reads the files that an index names, one at a time: once for what they hold, and again when the first of a
// file's tensors is wanted.
func readPyTorchShards(path string, shards *safetensors.Shards) (*content, error) {
	w := &content{metadata: map[string]string{"format": "pt"}}
	var current int // the file whose tensors are held; 0: none, else one more than its place
	var tensors map[string]*onnx.Tensor
	load := func(i int) error {
		if current == i+1 {
			return nil
		}
		current, tensors = 0, nil
		list, err := stateDict(filepath.Join(filepath.Dir(path), shards.Files[i]))
		if err != nil {
			return err
		}
		tensors = map[string]*onnx.Tensor{}
		for _, t := range list {
			tensors[t.Name] = t
		}
		current = i + 1
		return nil
	}
	for i, file := range shards.Files {
		list, err := stateDict(filepath.Join(filepath.Dir(path), file))
		if err != nil {
			return nil, refused("", err)
		}
		found := map[string]bool{}
		for _, t := range list {
			if at, ok := shards.Of[t.Name]; !ok || at != i {
				return nil, refused(path, limits.Refuse("file "+limits.Name(file), "holds tensor %s, which the index puts elsewhere or does not have", limits.Name(t.Name)))
			}
			name := t.Name
			found[name] = true
			w.weights = append(w.weights, weight{name, t.DType, t.Dims, func() (*onnx.Tensor, error) {
				if err := load(i); err != nil {
					return nil, err
				}
				if tensors[name] == nil {
					return nil, limits.InFile(path, limits.Refuse("file "+limits.Name(file), "tensor %s is gone since it was read", limits.Name(name)))
				}
				return tensors[name], nil
			}})
		}
		for name, at := range shards.Of {
			if at == i && !found[name] {
				return nil, refused(path, limits.Refuse("file "+limits.Name(file), "does not hold tensor %s, which the index puts there", limits.Name(name)))
			}
		}
	}
	return w, nil
}

// stateDict reads the tensors of a file of PyTorch by name.
func stateDict(path string) ([]*onnx.Tensor, error) {
	f, err := pickle.ReadFile(path)
	if err != nil {
		return nil, limits.InFile(path, err)
	}
	tensors, err := f.Tensors()
	if err != nil {
		return nil, limits.InFile(path, err)
	}
	if len(tensors) == 0 || tensors[0].Name == "" {
		return nil, limits.InFile(path, limits.Refuse("", "holds no tensors by name: save a state dict"))
	}
	return tensors, nil
}
