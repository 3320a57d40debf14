package cli

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"graft/onnx"
	"graft/onnx/limits"
	"graft/onnx/op"
	"graft/runtime"
	"graft/training/dataset"
)

// dimFlag gives free dimensions a size.
func dimFlag() *option {
	return repeated("dim", "NAME=N", "size of a free dimension of inputs that are made up; 1 unless given; repeatable")
}

// freeDims reads --dim.
func (c *call) freeDims() (map[string]int64, error) { return c.sizes("dim") }

// sizes reads a flag that gives dimensions a size.
func (c *call) sizes(flag string) (map[string]int64, error) {
	dims := map[string]int64{}
	for _, s := range c.List(flag) {
		i := strings.LastIndex(s, "=")
		if i < 1 {
			return nil, misuse("--%s %s: wants NAME=N", flag, quote(s))
		}
		n, err := strconv.ParseInt(s[i+1:], 10, 32)
		if err != nil || n < 1 {
			return nil, misuse("--%s %s: wants a whole number from 1", flag, quote(s))
		}
		dims[s[:i]] = n
	}
	return dims, nil
}

// feedNames are the inputs that a run of g must be fed with.
func feedNames(g *onnx.Graph) []string {
	var names []string
	for _, v := range g.Inputs() {
		if !v.IsInitializer() {
			names = append(names, v.Name)
		}
	}
	return names
}

// namedFeeds reads the inputs given as NAME=FILE, or as FILE whose tensors have the inputs' names.
func namedFeeds(g *onnx.Graph, specs []string) (map[string]*onnx.Tensor, error) {
	feeds := map[string]*onnx.Tensor{}
	names := feedNames(g)
	for _, spec := range specs {
		name, path, err := splitFeed(spec, names)
		if err != nil {
			return nil, err
		}
		if name == "" {
			if err := feedsOfFile(feeds, names, path); err != nil {
				return nil, err
			}
			continue
		}
		tensors, err := readTensorFile(path)
		if err != nil {
			return nil, err
		}
		i := slices.IndexFunc(tensors, func(t *onnx.Tensor) bool { return t.Name == name })
		if i < 0 && len(tensors) != 1 {
			return nil, refused(path, fmt.Errorf("holds %d tensors, none of them called %s", len(tensors), limits.Name(name)))
		}
		feeds[name] = tensors[max(i, 0)]
	}
	return feeds, nil
}

// splitFeed takes NAME=FILE apart; either may contain "=", so that the longest NAME that is an input counts. name is empty
// for a FILE alone.
func splitFeed(spec string, names []string) (name, path string, err error) {
	for _, n := range names {
		if rest, ok := strings.CutPrefix(spec, n+"="); ok && len(n) >= len(name) {
			name, path = n, rest
		}
	}
	if path != "" {
		return name, path, nil
	}
	if _, err := os.Stat(spec); err == nil {
		return "", spec, nil
	}
	if given, _, ok := strings.Cut(spec, "="); ok {
		return "", "", misuse("--input %s: the model has no input %s: there are %s%s", quote(spec), quote(given), limits.Names(names, 8),
			didYouMean(nearest(given, names)))
	}
	return "", "", misuse("--input %s: wants NAME=FILE", quote(spec))
}

// feedsOfFile adds the tensors of a file that are called as inputs are; one tensor alone feeds the only input.
func feedsOfFile(feeds map[string]*onnx.Tensor, names []string, path string) error {
	tensors, err := readTensorFile(path)
	if err != nil {
		return err
	}
	if len(tensors) == 1 && len(names) == 1 {
		feeds[names[0]] = tensors[0]
		return nil
	}
	found := 0
	for _, t := range tensors {
		if slices.Contains(names, t.Name) {
			feeds[t.Name] = t
			found++
		}
	}
	if found == 0 {
		return refused(path, fmt.Errorf("has no tensor for any input: the model wants %s", limits.Names(names, 8)))
	}
	return nil
}

// readTensorFile reads a .npy, .npz or .safetensors file, or a TensorProto in a file whose name ends in .pb.
func readTensorFile(path string) ([]*onnx.Tensor, error) {
	if !strings.HasSuffix(strings.ToLower(path), ".pb") {
		tensors, err := dataset.ReadTensors(path)
		if err != nil {
			return nil, refused(path, err)
		}
		return tensors, nil
	}
	f, size, err := limits.OpenRegular(path)
	if err != nil {
		return nil, refused(path, err)
	}
	defer f.Close()
	const largest = 2 << 30 // what protobuf can hold
	if size > largest {
		return nil, refused(path, fmt.Errorf("%d bytes, a TensorProto has at most %d", size, largest))
	}
	data := make([]byte, size)
	if err := limits.ReadAt(f, data, 0, "tensor"); err != nil {
		return nil, refused(path, err)
	}
	t, err := onnx.DecodeTensor(data)
	if err != nil {
		return nil, refused(path, limits.InFile(path, err))
	}
	return []*onnx.Tensor{t}, nil
}

// complete makes up the inputs that feeds lacks. m itself is not inferred: the runtime gets the types that the file has.
func (c *call) complete(m *onnx.Model, path string, feeds map[string]*onnx.Tensor) error {
	dims, err := c.freeDims()
	if err != nil {
		return err
	}
	inferred := m.Clone()
	op.InferModel(inferred)
	g := inferred.Graph
	for _, name := range feedNames(g) {
		if feeds[name] != nil {
			continue
		}
		t, err := runtime.SampleValue(g.Lookup(name), c.Common.Seed, dims)
		if err != nil {
			return runtimeError(err, path)
		}
		feeds[name] = t
		c.Detail("input %s: made up, %s", name, t.Type())
	}
	return nil
}
