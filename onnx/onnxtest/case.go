package onnxtest

import (
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"testing"

	"graft/onnx"
)

// Case is one of ONNX's backend tests: a model, and what recorded inputs give.
type Case struct {
	Name string
	Dir  string
}

// NodeCases lists the backend's node tests, in order of name: those under $GRAFT_ONNX_TESTDATA/node, or where Debian
// installs them. The test is skipped where there are none.
func NodeCases(t testing.TB) []Case { return Cases(t, "node") }

// Cases is NodeCases for some of the folders of the backend's tests: node, simple, pytorch-converted, pytorch-operator.
func Cases(t testing.TB, folders ...string) []Case {
	t.Helper()
	dir := os.Getenv("GRAFT_ONNX_TESTDATA")
	if dir == "" {
		dir = "/usr/include/onnx/backend/test/data"
	}
	var cases []Case
	for _, folder := range folders {
		models, _ := filepath.Glob(filepath.Join(dir, folder, "*", "model.onnx"))
		if len(models) == 0 {
			t.Skipf("no ONNX tests in %s: GRAFT_ONNX_TESTDATA names the folder that holds node/", filepath.Join(dir, folder))
		}
		for _, m := range models {
			cases = append(cases, Case{Name: filepath.Base(filepath.Dir(m)), Dir: filepath.Dir(m)})
		}
	}
	return cases
}

// Model reads the case's model.
func (c Case) Model() (*onnx.Model, error) {
	return onnx.Load(filepath.Join(c.Dir, "model.onnx"), onnx.LoadOptions{})
}

// Tensors reads the first data set, in the order of the graph's inputs and outputs. Inputs or outputs that are no tensors
// (sequences, optionals) are an error.
func (c Case) Tensors() (inputs, outputs []*onnx.Tensor, err error) {
	if inputs, err = c.read("input"); err != nil {
		return nil, nil, err
	}
	outputs, err = c.read("output")
	return inputs, outputs, err
}

func (c Case) read(kind string) ([]*onnx.Tensor, error) {
	paths, _ := filepath.Glob(filepath.Join(c.Dir, "test_data_set_0", kind+"_*.pb"))
	number := func(path string) int {
		n, _ := strconv.Atoi(strings.TrimSuffix(filepath.Base(path)[len(kind)+1:], ".pb"))
		return n
	}
	sort.Slice(paths, func(i, j int) bool { return number(paths[i]) < number(paths[j]) })
	var out []*onnx.Tensor
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		t, err := onnx.DecodeTensor(data)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		out = append(out, t)
	}
	return out, nil
}
