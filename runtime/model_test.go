package runtime_test

import (
	"google.golang.org/protobuf/encoding/protowire"

	"graft/onnx"
)

// The few messages of ONNX that the tests need, encoded by hand: field numbers are those of onnx.proto.

func message(fields ...[]byte) (b []byte) {
	for _, f := range fields {
		b = append(b, f...)
	}
	return b
}

func str(field protowire.Number, s string) []byte {
	return protowire.AppendString(protowire.AppendTag(nil, field, protowire.BytesType), s)
}

func sub(field protowire.Number, fields ...[]byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, field, protowire.BytesType), message(fields...))
}

func num(field protowire.Number, v int64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(nil, field, protowire.VarintType), uint64(v))
}

// node is a NodeProto inside a GraphProto.
func node(op string, in, out []string, attributes ...[]byte) []byte {
	b := message(attributes...)
	for _, s := range in {
		b = append(b, str(1, s)...)
	}
	for _, s := range out {
		b = append(b, str(2, s)...)
	}
	b = append(b, str(4, op)...)
	return sub(1, b)
}

// attribute is an AttributeProto of an integer inside a NodeProto.
func attribute(name string, v int64) []byte { return sub(5, str(1, name), num(3, v), num(20, 2)) }

// value is a ValueInfoProto: field 11 for inputs, 12 for outputs of a GraphProto. A nil shape is left out.
func value(field protowire.Number, name string, d onnx.DataType, shape onnx.Shape) []byte {
	tensor := num(1, int64(d))
	if shape.Ranked() {
		var dims []byte
		for _, dim := range shape {
			switch {
			case dim.Symbol != "":
				dims = append(dims, sub(1, str(2, dim.Symbol))...)
			case dim.Known():
				dims = append(dims, sub(1, num(1, dim.Size))...)
			default:
				dims = append(dims, sub(1)...)
			}
		}
		tensor = append(tensor, sub(2, dims)...)
	}
	return sub(field, str(1, name), sub(2, sub(1, tensor)))
}

func input(name string, d onnx.DataType, sizes ...int64) []byte {
	return value(11, name, d, onnx.NewShape(sizes...))
}

func output(name string, d onnx.DataType, sizes ...int64) []byte {
	return value(12, name, d, onnx.NewShape(sizes...))
}

// initializer is a TensorProto inside a GraphProto.
func initializer(name string, t *onnx.Tensor) []byte {
	var b []byte
	for _, d := range t.Dims {
		b = append(b, num(1, d)...)
	}
	b = append(b, num(2, int64(t.DType))...)
	b = append(b, str(8, name)...)
	return sub(5, b, str(9, string(t.Data)))
}

// model is a ModelProto of IR version 10 and opset 21.
func model(graph ...[]byte) []byte {
	return message(num(1, 10), sub(7, str(2, "g"), message(graph...)), sub(8, num(2, 21)))
}

// addOne gives y = x + 1 for float vectors of n elements.
func addOne(n int64) []byte {
	return model(
		node("Add", []string{"x", "one"}, []string{"y"}),
		initializer("one", onnx.FromSlice([]float32{1})),
		input("x", onnx.Float, n), output("y", onnx.Float, n))
}
