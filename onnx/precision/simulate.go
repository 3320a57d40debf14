package precision

import "graft/onnx"

// Simulate gives a model that computes in float32 what m computes in a 16-bit type, each value rounded to it as it is made:
// for runtimes without kernels for the type. Names of values stay.
func Simulate(m *onnx.Model, d onnx.DataType) (*onnx.Model, error) {
	out := m.Clone()
	var rounded []*onnx.Value
	for _, n := range out.Graph.Nodes() {
		for _, o := range n.Outputs() {
			if o != nil && o.IsTensor() && o.Type.DType == d && !n.Is("Constant") {
				rounded = append(rounded, o)
			}
		}
	}
	for _, v := range out.Graph.Inputs() {
		if v.Type.DType == d {
			rounded = append(rounded, v)
		}
	}
	if _, err := Convert(out, Plan{To: onnx.Float}); err != nil {
		return nil, err
	}
	g := out.Graph
	for _, v := range rounded {
		uses := v.Uses()
		narrow := g.Add("Cast", []*onnx.Value{v}, 1, onnx.Int("to", int64(d))).Output(0)
		narrow.Type = onnx.TensorType{DType: d, Shape: v.Type.Shape}
		wide := g.Add("Cast", []*onnx.Value{narrow}, 1, onnx.Int("to", int64(onnx.Float))).Output(0)
		wide.Type = v.Type
		for _, u := range uses {
			u.Node.SetInput(u.Index, wide)
		}
		if g.IsInput(v) {
			continue
		}
		outputs := g.Outputs()
		for i, o := range outputs {
			if o == v {
				outputs[i] = wide
			}
		}
		g.SetOutputs(outputs...)
		v.Name, wide.Name = "", v.Name
	}
	g.AssignNames()
	return out, nil
}
