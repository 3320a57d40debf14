package op

import (
	"fmt"

	"graft/onnx"
)

var (
	quantized   = accepted{{10, bytes}, {19, float8}, {21, int4 | setOf(onnx.Int16, onnx.Uint16)}, {23, float4}, {25, int2}}
	dequantized = accepted{{10, bytes | setOf(onnx.Int32)}, {19, float8}, {21, int4 | setOf(onnx.Int16, onnx.Uint16)}, {23, float4}, {25, int2}}
	eightBits   = accepted{{10, bytes}}
)

var quantize = []Schema{
	row("QuantizeLinear", 10, 2, 3, quantized, inferQuantize, "axis", "saturate", "output_dtype", "block_size", "precision").typedBy(-1).lowest(quantizeLowest),
	row("DequantizeLinear", 10, 2, 3, dequantized, inferDequantize, "axis", "output_dtype", "block_size").lowest(quantizeLowest),
	row("DynamicQuantizeLinear", 11, 1, 1, accepted{{11, setOf(onnx.Float)}}, inferDynamicQuantize).outs(3),
	row("MatMulInteger", 10, 2, 4, eightBits, inferMatMulInteger),
	row("QLinearMatMul", 10, 8, 8, accepted{{10, bytes}, {21, float8}}, inferQLinearMatMul),
	row("ConvInteger", 10, 2, 4, eightBits, inferConvInteger, convAttributes...),
	row("QLinearConv", 10, 8, 9, eightBits, inferQLinearConv, convAttributes...),
}

// quantizeLowest: an axis came with 13, scales of 16 bits with 19, blocks with 21, the output's type and the precision
// with 21 and 23.
func quantizeLowest(n *onnx.Node) int64 {
	low := int64(10)
	if _, ok := n.Attr("axis"); ok {
		low = 13
	}
	if d := dtypeOf(n, 1); d == onnx.Float16 || d == onnx.BFloat16 {
		low = 19
	}
	for _, name := range []string{"block_size", "output_dtype"} {
		if _, ok := n.Attr(name); ok {
			low = 21
			if name == "output_dtype" && n.Is("DequantizeLinear") {
				low = 23
			}
		}
	}
	if _, ok := n.Attr("precision"); ok {
		low = 23
	}
	return low
}

// outputType reads output_dtype; def where it is absent or zero.
func outputType(n *onnx.Node, def onnx.DataType) (onnx.DataType, error) {
	to := onnx.AttrOr(n, "output_dtype", int64(0))
	switch {
	case to == 0:
		return def, nil
	case to < 0 || to > 1<<16 || !onnx.DataType(to).Valid():
		return def, fmt.Errorf("output_dtype = %d is not an element type", to)
	}
	return onnx.DataType(to), nil
}

// inferQuantize: the zero point's element type, uint8 without one.
func inferQuantize(n *onnx.Node) ([]onnx.TensorType, error) {
	d := onnx.Uint8
	if n.Input(2) != nil {
		d = dtypeOf(n, 2)
	}
	d, err := outputType(n, d)
	return one(d, shapeOf(n, 0).Clone()), err
}

// inferDequantize: the scale's element type.
func inferDequantize(n *onnx.Node) ([]onnx.TensorType, error) {
	if n.Input(2) != nil {
		x, zero := dtypeOf(n, 0), dtypeOf(n, 2)
		if x != onnx.Undefined && zero != onnx.Undefined && x != zero {
			return nil, fmt.Errorf("input is %v, the zero point %v", x, zero)
		}
	}
	d, err := outputType(n, dtypeOf(n, 1))
	return one(d, shapeOf(n, 0).Clone()), err
}

func inferDynamicQuantize(n *onnx.Node) ([]onnx.TensorType, error) {
	return []onnx.TensorType{{DType: onnx.Uint8, Shape: shapeOf(n, 0).Clone()},
		{DType: onnx.Float, Shape: onnx.NewShape()}, {DType: onnx.Uint8, Shape: onnx.NewShape()}}, nil
}

func inferMatMulInteger(n *onnx.Node) ([]onnx.TensorType, error) {
	return productType(onnx.Int32, shapeOf(n, 0), shapeOf(n, 1))
}

func inferQLinearMatMul(n *onnx.Node) ([]onnx.TensorType, error) {
	return productType(dtypeOf(n, 7), shapeOf(n, 0), shapeOf(n, 3))
}

func productType(d onnx.DataType, x, y onnx.Shape) ([]onnx.TensorType, error) {
	if !x.Ranked() || !y.Ranked() {
		return one(d, nil), nil
	}
	s, err := matMulShape(x, y)
	return one(d, s), err
}

func inferConvInteger(n *onnx.Node) ([]onnx.TensorType, error) {
	s, err := convShape(n, shapeOf(n, 0), shapeOf(n, 1), nil)
	return one(onnx.Int32, s), err
}

func inferQLinearConv(n *onnx.Node) ([]onnx.TensorType, error) {
	s, err := convShape(n, shapeOf(n, 0), shapeOf(n, 3), shapeOf(n, 8))
	return one(dtypeOf(n, 7), s), err
}
