package peer

import (
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"

	onnxgo "github.com/owulveryck/onnx-go"
	"github.com/owulveryck/onnx-go/backend/x/gorgonnx"
	"gorgonia.org/tensor"

	"graft/onnx"
	"graft/onnx/limits"
)

// OnnxGoVersion is the version of onnx-go that is linked in.
const OnnxGoVersion = "0.5.0"

// onnxGoOperators are the operators of the default domain that onnx-go's backend gorgonnx has.
var onnxGoOperators = set(`Abs Add BatchNormalization Ceil Concat Constant Conv Cos Div Dropout Exp Flatten Floor Gemm
GlobalAveragePool Identity ImageScaler LeakyRelu Log MatMul Max MaxPool Min Mul Neg Relu Reshape Sigmoid Sign Sin Softmax
Softplus Sqrt Squeeze Sub Tanh Transpose Unsqueeze`)

func set(s string) map[string]bool {
	m := map[string]bool{}
	for word := range strings.FieldsSeq(s) {
		m[word] = true
	}
	return m
}

// onnxGoTypes are the element types that onnx-go reads and computes with.
var onnxGoTypes = []onnx.DataType{onnx.Float, onnx.Double, onnx.Int64, onnx.Int32, onnx.Bool}

// LackingInOnnxGo says what keeps onnx-go from running a model, "" when nothing is known to: everything at once.
func LackingInOnnxGo(m *onnx.Model) string {
	var operators, outputs, twice []string
	for _, n := range m.Graph.Nodes() {
		name := n.Op
		if n.Domain != "" {
			name = n.Domain + "::" + name
		}
		if (n.Domain != "" || !onnxGoOperators[n.Op]) && !slices.Contains(operators, name) {
			operators = append(operators, name)
		}
		inputs := slices.DeleteFunc(n.Inputs(), func(v *onnx.Value) bool { return v == nil })
		for i, v := range inputs {
			if slices.Contains(inputs[:i], v) && !slices.Contains(twice, v.Name) {
				twice = append(twice, v.Name)
			}
		}
	}
	slices.Sort(operators)
	for _, v := range m.Graph.Outputs() {
		if len(v.Uses()) > 0 || v.Producer() == nil {
			outputs = append(outputs, v.Name)
		}
	}
	var all []string
	if len(operators) > 0 {
		all = append(all, "has no "+limits.Names(operators, 12))
	}
	if len(outputs) > 0 {
		all = append(all, "gives no output that is read in the graph: "+limits.Names(outputs, 4))
	}
	if len(twice) > 0 {
		all = append(all, "reads no value twice in one node: "+limits.Names(twice, 4))
	}
	for _, v := range m.Graph.Inputs() {
		if d := v.Type.DType; d != onnx.Undefined && !slices.Contains(onnxGoTypes, d) {
			all = append(all, fmt.Sprintf("has no element type %v", d))
			break
		}
	}
	return strings.Join(all, "; ")
}

// RunOnnxGo does a job in onnx-go and writes its result. It belongs in a process of its own: onnx-go computes in a
// goroutine that it starts, and a panic there ends the process.
func RunOnnxGo(dir string) error {
	r := resultFile{Version: OnnxGoVersion}
	values, err := onnxGo(dir)
	var lacks *onnxgo.ErrNotImplemented
	switch {
	case err == nil:
		r.Outputs = values
	case errors.As(err, &lacks):
		r.Unsupported = err.Error()
	default:
		r.Error = err.Error()
	}
	return r.write(dir)
}

func onnxGo(dir string) (values []Value, err error) {
	defer func() {
		if p := recover(); p != nil {
			values, err = nil, fmt.Errorf("panic: %v", p)
		}
	}()
	job, feeds, err := read(dir)
	if err != nil {
		return nil, err
	}
	m, err := onnx.Load(filepath.Join(dir, job.Model), onnx.LoadOptions{})
	if err != nil {
		return nil, err
	}
	data, err := forOnnxGo(m, feeds)
	if err != nil {
		return nil, err
	}
	backend := gorgonnx.NewGraph()
	model := onnxgo.NewModel(backend)
	if err := model.UnmarshalBinary(data); err != nil {
		return nil, err
	}
	for name, t := range feeds {
		node, ok := model.GetNodeByName(name)
		if !ok {
			continue
		}
		carrier, ok := node.(onnxgo.DataCarrier)
		if !ok {
			return nil, fmt.Errorf("input %s takes no tensor", limits.Name(name))
		}
		dense, err := toDense(t)
		if err != nil {
			return nil, err
		}
		if err := carrier.SetTensor(dense); err != nil {
			return nil, err
		}
	}
	if err := backend.Run(); err != nil {
		return nil, err
	}
	results, err := model.GetOutputTensors()
	if err != nil {
		return nil, err
	}
	for i, t := range results {
		if i >= len(job.Outputs) || t == nil {
			return nil, fmt.Errorf("output %d has no value", i)
		}
		v, err := store(dir, fmt.Sprintf("out%d.bin", i), job.Outputs[i], t)
		if err != nil {
			return nil, err
		}
		values = append(values, v)
	}
	return values, nil
}

// forOnnxGo is the model with the inputs' sizes written in and no other shapes: onnx-go leaves symbolic dimensions out of a
// shape, and takes memory for every value whose shape the file has.
func forOnnxGo(m *onnx.Model, feeds map[string]*onnx.Tensor) ([]byte, error) {
	for _, v := range m.Graph.Inputs() {
		if t := feeds[v.Name]; t != nil {
			v.Type = t.Type()
		}
	}
	for _, n := range m.Graph.Nodes() {
		for _, v := range n.Outputs() {
			if v != nil && !m.Graph.IsOutput(v) {
				v.Type = onnx.TensorType{}
			} else if v != nil {
				v.Type.Shape = nil
			}
		}
	}
	return m.Encode()
}

func toDense(t *onnx.Tensor) (*tensor.Dense, error) {
	shape := make([]int, len(t.Dims))
	for i, d := range t.Dims {
		if d > math.MaxInt32 {
			return nil, fmt.Errorf("dimension %d", d)
		}
		shape[i] = int(d)
	}
	var backing any
	switch t.DType {
	case onnx.Float:
		backing = slices.Clone(onnx.View[float32](t))
	case onnx.Double:
		backing = slices.Clone(onnx.View[float64](t))
	case onnx.Int64:
		backing = slices.Clone(onnx.View[int64](t))
	case onnx.Int32:
		backing = slices.Clone(onnx.View[int32](t))
	case onnx.Bool:
		backing = slices.Clone(onnx.View[bool](t))
	default:
		return nil, fmt.Errorf("has no element type %v", t.DType)
	}
	return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(backing)), nil
}

// store writes a result into a file of the job.
func store(dir, file, name string, t tensor.Tensor) (Value, error) {
	if d, ok := t.(*tensor.Dense); ok && d.RequiresIterator() {
		t = d.Materialize()
	}
	dims := make([]int64, len(t.Shape()))
	for i, d := range t.Shape() {
		dims[i] = int64(d)
	}
	var out *onnx.Tensor
	switch data := t.Data().(type) {
	case []float32:
		out = onnx.FromSlice(data, dims...)
	case []float64:
		out = onnx.FromSlice(data, dims...)
	case []int64:
		out = onnx.FromSlice(data, dims...)
	case []int32:
		out = onnx.FromSlice(data, dims...)
	case []bool:
		out = onnx.FromSlice(data, dims...)
	case float32:
		out = onnx.FromSlice([]float32{data}, dims...)
	case float64:
		out = onnx.FromSlice([]float64{data}, dims...)
	default:
		return Value{}, fmt.Errorf("output %s is %T", limits.Name(name), data)
	}
	return Value{Name: name, DType: dtypes[out.DType], Dims: dims, File: file}, writeRaw(filepath.Join(dir, file), out)
}
