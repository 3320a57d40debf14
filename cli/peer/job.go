package peer

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
	"graft/onnx/limits"
)

// Job is a folder with a model and its inputs.
type Job struct {
	Dir string
}

// Value is a tensor of a job: its elements lie in a file, little-endian, in row-major order; a bool is a byte.
type Value struct {
	Name  string  `json:"name"`
	DType string  `json:"dtype"`
	Dims  []int64 `json:"dims"`
	File  string  `json:"file"`
}

type jobFile struct {
	Model   string   `json:"model"`
	Inputs  []Value  `json:"inputs"`
	Outputs []string `json:"outputs"`
}

// resultFile is what a process says. Exactly one of Absent, Unsupported, Error and Outputs is there.
type resultFile struct {
	Version     string  `json:"version"`
	Absent      string  `json:"absent,omitempty"`      // what is not installed
	Unsupported string  `json:"unsupported,omitempty"` // what the runtime does not have
	Error       string  `json:"error,omitempty"`
	Outputs     []Value `json:"outputs,omitempty"`
}

const (
	jobName    = "job.json"
	resultName = "result.json"
	modelName  = "model.onnx"
)

// dtypes are the element types that every peer's language has, by their numpy names.
var dtypes = map[onnx.DataType]string{
	onnx.Float: "float32", onnx.Double: "float64", onnx.Float16: "float16", onnx.Int8: "int8", onnx.Int16: "int16", onnx.Int32: "int32",
	onnx.Int64: "int64", onnx.Uint8: "uint8", onnx.Uint16: "uint16", onnx.Uint32: "uint32", onnx.Uint64: "uint64", onnx.Bool: "bool",
}

// UnsupportedError says what keeps a runtime from running a model.
type UnsupportedError struct{ What string }

func (e *UnsupportedError) Error() string { return e.What }

// AbsentError says what is not installed.
type AbsentError struct{ What string }

func (e *AbsentError) Error() string { return e.What }

// NewJob writes a job into an empty folder. outputs are the names of the model's outputs, in their order.
func NewJob(dir string, model []byte, feeds map[string]*onnx.Tensor, inputs, outputs []string) (*Job, error) {
	j := jobFile{Model: modelName, Inputs: []Value{}, Outputs: outputs}
	for i, name := range inputs {
		t := feeds[name]
		dtype, ok := dtypes[t.DType]
		if !ok {
			return nil, &UnsupportedError{fmt.Sprintf("input %s is %v, which is not handed over", limits.Name(name), t.DType)}
		}
		v := Value{Name: name, DType: dtype, Dims: append([]int64{}, t.Dims...), File: fmt.Sprintf("in%d.bin", i)}
		if err := os.WriteFile(filepath.Join(dir, v.File), t.Data, 0o600); err != nil {
			return nil, err
		}
		j.Inputs = append(j.Inputs, v)
	}
	if err := os.WriteFile(filepath.Join(dir, modelName), model, 0o600); err != nil {
		return nil, err
	}
	data, err := json.Marshal(j)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, jobName), data, 0o600)
	}
	return &Job{dir}, err
}

// read opens a job that NewJob wrote.
func read(dir string) (*jobFile, map[string]*onnx.Tensor, error) {
	data, err := os.ReadFile(filepath.Join(dir, jobName))
	if err != nil {
		return nil, nil, err
	}
	var j jobFile
	if err := json.Unmarshal(data, &j); err != nil {
		return nil, nil, err
	}
	feeds := map[string]*onnx.Tensor{}
	for _, v := range j.Inputs {
		if feeds[v.Name], err = v.load(dir); err != nil {
			return nil, nil, err
		}
	}
	return &j, feeds, nil
}

// load reads a tensor; the file's size must be what type and dims ask for.
func (v Value) load(dir string) (*onnx.Tensor, error) {
	var t *onnx.Tensor
	for d, name := range dtypes {
		if name == v.DType {
			t = &onnx.Tensor{Name: v.Name, DType: d, Dims: v.Dims}
		}
	}
	switch {
	case t == nil:
		return nil, &UnsupportedError{fmt.Sprintf("output %s has the element type %s, which is not handed over", limits.Name(v.Name), limits.Name(v.DType))}
	case v.File != filepath.Base(v.File) || !filepath.IsLocal(v.File):
		return nil, fmt.Errorf("the result names the file %s", limits.Name(v.File))
	}
	width := 0
	for _, w := range []struct {
		bytes int
		names []string
	}{{1, []string{"int8", "uint8", "bool"}}, {2, []string{"int16", "uint16", "float16"}}, {4, []string{"int32", "uint32", "float32"}}, {8, []string{"int64", "uint64", "float64"}}} {
		if slices.Contains(w.names, v.DType) {
			width = w.bytes
		}
	}
	f, size, err := limits.OpenRegular(filepath.Join(dir, v.File))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	want, ok := limits.Bytes(v.Dims, 8*width)
	if !ok || want != size {
		return nil, fmt.Errorf("output %s: %d bytes for %s %v", limits.Name(v.Name), size, v.DType, v.Dims)
	}
	fresh := onnx.NewTensor(t.DType, v.Dims...)
	if int64(len(fresh.Data)) != size {
		return nil, fmt.Errorf("output %s: %d bytes for %s %v", limits.Name(v.Name), size, v.DType, v.Dims)
	}
	if _, err := io.ReadFull(f, fresh.Data); err != nil {
		return nil, err
	}
	fresh.Name = v.Name
	return fresh, fresh.Check()
}

// write is the other end of Result.
func (r resultFile) write(dir string) error {
	data, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, resultName), data, 0o600)
}

// ErrNoResult says that a process ended without a word.
var ErrNoResult = errors.New("ended without a result")

// Result reads what the process left: outputs by name, and the runtime's version.
func (j *Job) Result() (outputs map[string]*onnx.Tensor, version string, err error) {
	const largest = 16 << 20
	f, size, err := limits.OpenRegular(filepath.Join(j.Dir, resultName))
	if err != nil || size > largest {
		return nil, "", ErrNoResult
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, largest))
	if err != nil {
		return nil, "", err
	}
	var r resultFile
	if err := json.NewDecoder(bytes.NewReader(data)).Decode(&r); err != nil {
		return nil, "", fmt.Errorf("its result cannot be read: %w", err)
	}
	switch {
	case r.Absent != "":
		return nil, r.Version, &AbsentError{r.Absent}
	case r.Unsupported != "":
		return nil, r.Version, &UnsupportedError{r.Unsupported}
	case r.Error != "":
		return nil, r.Version, errors.New(r.Error)
	}
	outputs = map[string]*onnx.Tensor{}
	for _, v := range r.Outputs {
		t, err := v.load(j.Dir)
		if err != nil {
			return nil, r.Version, err
		}
		outputs[v.Name] = t
	}
	return outputs, r.Version, nil
}

func writeRaw(path string, t *onnx.Tensor) error { return os.WriteFile(path, t.Data, 0o600) }
