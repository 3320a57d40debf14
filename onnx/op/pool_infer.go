package op

import (
	"fmt"

	"graft/onnx"
)

var poolAttributes = []string{"kernel_shape", "strides", "pads", "dilations", "auto_pad", "ceil_mode"}

var pool = []Schema{
	row("AveragePool", 7, 1, 1, floats22, inferPool, append([]string{"count_include_pad"}, poolAttributes...)...).lowest(poolLowest(7, 10, 19)),
	row("MaxPool", 8, 1, 1, accepted{{8, floats}, {12, bytes}, {22, bfloat}}, inferPool, append([]string{"storage_order"}, poolAttributes...)...).outs(2).lowest(poolLowest(8, 10, 10)),
	row("LpPool", 7, 1, 1, floats22, inferPool, append([]string{"p"}, poolAttributes...)...).lowest(poolLowest(7, 18, 18)),
	row("GlobalAveragePool", 7, 1, 1, floats22, inferGlobalPool),
	row("GlobalMaxPool", 7, 1, 1, floats22, inferGlobalPool),
	row("GlobalLpPool", 7, 1, 1, floats22, inferGlobalPool, "p"),
}

// poolLowest: ceil_mode and dilations came later to some pools.
func poolLowest(plain, ceil, dilations int64) func(n *onnx.Node) int64 {
	return func(n *onnx.Node) int64 {
		low := plain
		if _, ok := n.Attr("ceil_mode"); ok {
			low = max(low, ceil)
		}
		if _, ok := n.Attr("dilations"); ok {
			low = max(low, dilations)
		}
		return low
	}
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
