package packed

import (
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"

	"graft/onnx"
	"graft/onnx/limits"
	"graft/onnx/precision"
	"graft/onnx/rewrite"
	"graft/onnx/safetensors"
)

// mostElements bounds what all weights of a file unpack to, and mostRatio what each does against the bytes that it is made of:
// zeros take no space, and a file may claim any number.
const (
	mostElements = 1 << 31
	mostRatio    = 1 << 16
)

// Read unpacks a file. What it does not take is a *limits.InputError.
func Read(path string) (*onnx.Model, error) {
	f, err := safetensors.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	m, err := unpack(f)
	if err != nil {
		return nil, limits.InFile(path, err)
	}
	return m, nil
}

func unpack(f *safetensors.File) (*onnx.Model, error) {
	metadata := f.Metadata()
	if got := metadata["format"]; got != format {
		return nil, limits.Refuse("metadata format", "is %s, this version unpacks %q", limits.Name(got), format).
			WithHint("graft export --packed writes such files")
	}
	graph, err := bytesOf(f, "graph")
	if err != nil {
		return nil, err
	}
	m, err := onnx.Decode(graph)
	if err != nil {
		return nil, err
	}
	budget := limits.NewBudget("elements", mostElements)
	for _, key := range slices.Sorted(maps.Keys(metadata)) {
		name, ok := strings.CutPrefix(key, "weight/")
		if !ok {
			continue
		}
		t, err := weight(f, name, metadata[key], budget)
		if err != nil {
			return nil, err
		}
		input := m.Graph.Lookup(name)
		if input == nil || !m.Graph.IsInput(input) {
			return nil, limits.Refuse("weight "+limits.Name(name), "is no input of the graph")
		}
		if _, err := rewrite.Bind(m.Graph, input, t); err != nil {
			return nil, limits.Refuse("weight "+limits.Name(name), "%v", err)
		}
	}
	return m, nil
}

// bytesOf gives a tensor of bytes.
func bytesOf(f *safetensors.File, name string) ([]byte, error) {
	t, err := f.Tensor(name)
	if err != nil {
		return nil, err
	}
	if t.DType != onnx.Uint8 {
		return nil, limits.Refuse(limits.Name(name), "is of %v, wants uint8", t.DType)
	}
	return t.Data, nil
}

// parse reads what the metadata says of a weight.
func parse(text string) (rice int, dims []int64, err error) {
	const mostRank = 64
	words := strings.Fields(text)
	if len(words) < 3 || words[0] != "rice" || words[2] != "dims" || len(words) > 3+mostRank {
		return 0, nil, errors.New(`it does not read "rice N dims D ..."`)
	}
	if rice, err = strconv.Atoi(words[1]); err != nil || rice < 0 || rice > mostRice {
		return 0, nil, errors.New("the parameter of its code is not in 0 to 40")
	}
	dims = []int64{}
	for _, w := range words[3:] {
		d, err := strconv.ParseInt(w, 10, 64)
		if err != nil || d < 0 {
			return 0, nil, errors.New("a dim is not a number")
		}
		dims = append(dims, d)
	}
	return rice, dims, nil
}

// weight unpacks one weight.
func weight(f *safetensors.File, name, text string, budget *limits.Budget) (*onnx.Tensor, error) {
	field := "weight " + limits.Name(name)
	rice, dims, err := parse(text)
	if err != nil {
		return nil, limits.Refuse(field, "is %s in the metadata: %v", limits.Name(text), err)
	}
	values, err := f.Tensor("values/" + name)
	if err != nil {
		return nil, err
	}
	if values.DType != onnx.Float && values.DType != onnx.Float16 {
		return nil, limits.Refuse(field, "has values of %v, wants float32 or float16", values.DType)
	}
	zeros, err := bytesOf(f, "zeros/"+name)
	if err != nil {
		return nil, err
	}
	n, err := onnx.ElementCount(dims)
	if err != nil {
		return nil, limits.Refuse(field, "%v", err)
	}
	if most := (int64(len(values.Data)+len(zeros)) + entryBytes) * mostRatio; n > most {
		return nil, limits.Refuse(field, "has dims %v for %d bytes, of which no more than %d elements are made", dims, len(values.Data)+len(zeros), most)
	}
	if err := budget.Spend(n, field); err != nil {
		return nil, err
	}
	t := onnx.NewTensor(onnx.Float, dims...)
	out, left := t.Float32s(), uint64(n)
	r := riceReader{bytes: zeros, field: field}
	for _, x := range precision.Round(values, onnx.Float).Float32s() {
		if left == 0 {
			return nil, limits.Refuse(field, "has more values than its dims %v have places", dims)
		}
		z, err := r.next(rice, left-1)
		if err != nil {
			return nil, err
		}
		out[uint64(n)-left+z] = x
		left -= z + 1
	}
	return t, r.end()
}
