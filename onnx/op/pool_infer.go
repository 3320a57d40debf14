package op

import (
	"fmt"

	"graft/onnx"
)

var pool = []Schema{
	{Name: "AveragePool", Since: 11, Lowest: poolLowest, MinIn: 1, MaxIn: 1, Out: 1, Infer: inferPool,
		Attributes: []string{"kernel_shape", "strides", "pads", "dilations", "auto_pad", "ceil_mode", "count_include_pad"}},
	{Name: "MaxPool", Since: 12, MinIn: 1, MaxIn: 1, Out: 2, Infer: inferPool,
		Attributes: []string{"kernel_shape", "strides", "pads", "dilations", "auto_pad", "ceil_mode", "storage_order"}},
	{Name: "GlobalAveragePool", Since: 7, MinIn: 1, MaxIn: 1, Out: 1, Infer: inferGlobalPool},
}

func poolLowest(n *onnx.Node) int64 {
	if _, ok := n.Attr("dilations"); ok {
		return 19
	}
	return 11
}

func inferPool(n *onnx.Node) ([]onnx.TensorType, error) {
	x, a := shapeOf(n, 0), PoolAttrsOf(n)
	if len(a.Kernel) == 0 {
		return nil, fmt.Errorf("kernel_shape is missing")
	}
	if len(a.Kernel) > maxRank {
		return nil, fmt.Errorf("kernel_shape has %d entries", len(a.Kernel))
	}
	if !x.Ranked() {
		return poolTypes(n, nil), nil
	}
	if len(x) < 3 {
		return nil, fmt.Errorf("input has rank %d, wants 3 or more", len(x))
	}
	kernel := make([]onnx.Dim, len(a.Kernel))
	for i, k := range a.Kernel {
		if k < 1 {
			return nil, fmt.Errorf("kernel size %d is not possible", k)
		}
		kernel[i] = size(k)
	}
	w := &window{kernel, a.Strides, a.Pads, a.Dilations, a.AutoPad, a.CeilMode}
	if err := w.check(len(x) - 2); err != nil {
		return nil, err
	}
	spatial, err := w.slideAll(x[2:])
	return poolTypes(n, append(onnx.Shape{x[0], x[1]}, spatial...)), err
}

func poolTypes(n *onnx.Node, s onnx.Shape) []onnx.TensorType {
	types := one(dtypeOf(n, 0), s)
	if n.NumOutputs() > 1 {
		types = append(types, onnx.TensorType{DType: onnx.Int64, Shape: s.Clone()})
	}
	return types
}

func inferGlobalPool(n *onnx.Node) ([]onnx.TensorType, error) {
	x := shapeOf(n, 0)
	if !x.Ranked() {
		return one(dtypeOf(n, 0), nil), nil
	}
	if len(x) < 2 {
		return nil, fmt.Errorf("input has rank %d, wants 2 or more", len(x))
	}
	s := x.Clone()
	for i := range s[2:] {
		s[i+2] = size(1)
	}
	return one(dtypeOf(n, 0), s), nil
}
