package packed

import (
	"cmp"
	"errors"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"graft/onnx"
	"graft/onnx/limits"
	"graft/onnx/precision"
	"graft/onnx/safetensors"
)

// mostElements is how many elements all weights of a file of so many bytes unpack to at most: zeros take no space, and a file may
// claim any number.
func mostElements(size int64) int64 {
	const anyway, each, ever = 1 << 24, 1 << 11, 1 << 31
	return min(anyway+each*min(size, ever), ever)
}

// Read unpacks the file at path. What it does not take is a *limits.InputError.
func Read(path string) (*onnx.Model, error) {
	f, size, err := limits.OpenRegular(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return Decode(f, size, path)
}

// Decode unpacks the size bytes of src; name stands in errors.
func Decode(src io.ReaderAt, size int64, name string) (*onnx.Model, error) {
	f, err := safetensors.NewFile(src, size, name)
	if err != nil {
		return nil, err
	}
	m, err := unpack(f, size)
	if err != nil {
		return nil, limits.InFile(name, err)
	}
	return m, nil
}

// unpack holds all weights to the graph and to their bytes before it takes memory for one.
func unpack(f *safetensors.File, size int64) (*onnx.Model, error) {
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
	inputs := map[string]*onnx.Value{}
	for _, v := range m.Graph.Inputs() {
		inputs[v.Name] = v
	}
	var weights []*weight
	budget := limits.NewBudget("elements for a file of its size", mostElements(size))
	for _, key := range slices.Sorted(maps.Keys(metadata)) {
		name, ok := strings.CutPrefix(key, "weight/")
		if !ok {
			continue
		}
		w, err := newWeight(f, name, metadata[key], inputs[name])
		if err != nil {
			return nil, err
		}
		weights = append(weights, w)
	}
	slices.SortFunc(weights, func(a, b *weight) int { return cmp.Or(cmp.Compare(a.place, b.place), strings.Compare(a.name, b.name)) })
	for _, w := range weights {
		if err := budget.Spend(w.elements, w.field()); err != nil {
			return nil, err
		}
	}
	for _, w := range weights {
		if err := w.unpack(f, nil); err != nil {
			return nil, err
		}
	}
	return m, bind(m.Graph, f, weights)
}

// bind makes initializers of the inputs that are weights, which come by place, each in its place.
func bind(g *onnx.Graph, f *safetensors.File, weights []*weight) error {
	for _, w := range weights {
		t := onnx.NewTensor(onnx.Float, w.dims...)
		if err := w.unpack(f, t.Float32s()); err != nil {
			return err
		}
		v := g.AddInitializer(w.name, t)
		g.ReplaceHandedOut(map[*onnx.Value]*onnx.Value{w.input: v})
		if err := g.ReplaceUses(w.input, v); err != nil {
			return limits.Refuse(w.field(), "%v", err)
		}
	}
	all := g.Initializers()
	others, bound := all[:len(all)-len(weights)], all[len(all)-len(weights):]
	var list []*onnx.Value
	for i, w := range weights {
		for len(others) > 0 && len(list) < w.place {
			list, others = append(list, others[0]), others[1:]
		}
		list = append(list, bound[i])
	}
	g.SetInitializers(append(list, others...)...)
	gone := map[*onnx.Value]bool{}
	for _, w := range weights {
		gone[w.input] = true
	}
	g.SetInputs(slices.DeleteFunc(g.Inputs(), func(v *onnx.Value) bool { return gone[v] })...)
	return nil
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

// weight is what a file says of one.
type weight struct {
	name        string
	input       *onnx.Value
	place, rice int
	dims        []int64
	elements    int64
}

func (w *weight) field() string { return "weight " + limits.Name(w.name) }

// newWeight reads what the metadata says of a weight, and holds it to the graph's input.
func newWeight(f *safetensors.File, name, text string, input *onnx.Value) (*weight, error) {
	w := &weight{name: name, input: input}
	if err := w.parse(text); err != nil {
		return nil, limits.Refuse(w.field(), "is %s in the metadata: %v", limits.Name(text), err)
	}
	if input == nil || input.IsInitializer() {
		return nil, limits.Refuse(w.field(), "is no input of the graph")
	}
	if dims, ok := input.Type.Shape.Sizes(); input.Type.DType != onnx.Float || !ok || !slices.Equal(dims, w.dims) {
		return nil, limits.Refuse(w.field(), "has dims %v, the graph's input is %v", w.dims, input.Type)
	}
	var err error
	if w.elements, err = onnx.ElementCount(w.dims); err != nil {
		return nil, limits.Refuse(w.field(), "%v", err)
	}
	return w, nil
}

func (w *weight) parse(text string) (err error) {
	const mostRank, mostPlace = 64, 1 << 24
	words := strings.Fields(text)
	if len(words) < 5 || words[0] != "place" || words[2] != "rice" || words[4] != "dims" || len(words) > 5+mostRank {
		return errors.New(`it does not read "place N rice N dims D ..."`)
	}
	if w.place, err = strconv.Atoi(words[1]); err != nil || w.place < 0 || w.place > mostPlace {
		return errors.New("its place is no number of an initializer")
	}
	if w.rice, err = strconv.Atoi(words[3]); err != nil || w.rice < 0 || w.rice > mostRice {
		return errors.New("the parameter of its code is not in 0 to 40")
	}
	w.dims = []int64{}
	for _, word := range words[5:] {
		d, err := strconv.ParseInt(word, 10, 64)
		if err != nil || d < 0 {
			return errors.New("a dim is not a number")
		}
		w.dims = append(w.dims, d)
	}
	return nil
}

// unpack writes the weight into out, which has its elements and is zero; nil: it only holds the weight's bytes to its dims.
func (w *weight) unpack(f *safetensors.File, out []float32) error {
	values, scales, err := w.values(f)
	if err != nil {
		return err
	}
	zeros, err := bytesOf(f, "zeros/"+w.name)
	if err != nil {
		return err
	}
	place, left := uint64(0), uint64(w.elements)
	r := riceReader{bytes: zeros, field: w.field()}
	for i := range values.Len() {
		if left == 0 {
			return limits.Refuse(w.field(), "has more values than its dims %v have places", w.dims)
		}
		z, err := r.next(w.rice, left-1)
		if err != nil {
			return err
		}
		place += z
		if out != nil {
			out[place] = valueAt(values, i, scales, place, w.elements)
		}
		place++
		left -= z + 1
	}
	return r.end()
}

// values are a weight's, float32 or int8, and what the latter are multiplied by.
func (w *weight) values(f *safetensors.File) (values *onnx.Tensor, scales []float32, err error) {
	if values, err = f.Tensor("values/" + w.name); err != nil {
		return nil, nil, err
	}
	switch values.DType {
	case onnx.Float, onnx.Float16:
		return precision.Round(values, onnx.Float), nil, nil
	case onnx.Int8:
	default:
		return nil, nil, limits.Refuse(w.field(), "has values of %v, wants float32, float16 or int8", values.DType)
	}
	t, err := f.Tensor("scales/" + w.name)
	if err != nil {
		return nil, nil, err
	}
	if t.DType != onnx.Float || len(w.dims) == 0 || t.Len() != w.dims[0] {
		return nil, nil, limits.Refuse(w.field(), "has scales of %v, wants one float32 for each index of its first axis", t.Type())
	}
	return values, t.Float32s(), nil
}

// valueAt is value i, which stands at a place among so many elements.
func valueAt(values *onnx.Tensor, i int64, scales []float32, place uint64, elements int64) float32 {
	if scales == nil {
		return values.Float32s()[i]
	}
	return float32(int8(values.Data[i])) * scales[place/(uint64(elements)/uint64(len(scales)))]
}
