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
	row("MaxUnpool", 9, 2, 3, floats22, inferMaxUnpool, "kernel_shape", "strides", "pads"),
	row("MaxRoiPool", 7, 2, 2, floats22, inferMaxRoiPool, "pooled_shape", "spatial_scale"),
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

// inferMaxUnpool: the output is as large as the smallest input that MaxPool brings to this size, or as output_shape says.
func inferMaxUnpool(n *onnx.Node) ([]onnx.TensorType, error) {
	x, a := shapeOf(n, 0), PoolAttrsOf(n)
	k := len(a.Kernel)
	switch {
	case k == 0 || k > maxRank:
		return nil, fmt.Errorf("kernel_shape has %d entries", k)
	case n.Input(2) != nil:
		sizes, ok := ConstantInts(n.Input(2))
		if !ok {
			return one(dtypeOf(n, 0), unknownLike(x)), nil
		}
		return one(dtypeOf(n, 0), onnx.NewShape(sizes...)), checkList("output_shape", sizes, k+2, 0)
	case !x.Ranked():
		return one(dtypeOf(n, 0), nil), nil
	case len(x) != k+2:
		return nil, fmt.Errorf("input has rank %d, wants %d", len(x), k+2)
	}
	w := &window{pads: a.Pads, strides: a.Strides, dilations: repeat(1, k)}
	for _, s := range a.Kernel {
		w.kernel = append(w.kernel, size(s))
	}
	if err := w.check(k); err != nil {
		return nil, err
	}
	spatial, err := w.spread(x[2:], ConvAttrs{OutputPadding: repeat(0, k)})
	return one(dtypeOf(n, 0), append(onnx.Shape{x[0], x[1]}, spatial...)), err
}

func unknownLike(s onnx.Shape) onnx.Shape {
	if !s.Ranked() {
		return nil
	}
	return unknownShape(len(s))
}

func inferMaxRoiPool(n *onnx.Node) ([]onnx.TensorType, error) {
	x, rois := shapeOf(n, 0), shapeOf(n, 1)
	pooled := onnx.AttrOr[[]int64](n, "pooled_shape", nil)
	if err := checkList("pooled_shape", pooled, 2, 1); err != nil {
		return nil, err
	}
	if x.Ranked() && len(x) != 4 || rois.Ranked() && len(rois) != 2 {
		return nil, fmt.Errorf("input %v and regions %v, wants rank 4 and 2", x, rois)
	}
	s := onnx.Shape{onnx.UnknownDim, onnx.UnknownDim, size(pooled[0]), size(pooled[1])}
	if rois.Ranked() {
		if _, ok := mergeDim(rois[1], size(5)); !ok {
			return nil, fmt.Errorf("regions %v, wants 5 numbers each", rois)
		}
		s[0] = rois[0]
	}
	if x.Ranked() {
		s[1] = x[1]
	}
	return one(dtypeOf(n, 0), s), nil
}
