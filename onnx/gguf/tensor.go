package gguf

import (
	"graft/onnx"
	"graft/onnx/limits"
)

// chunk is about how many bytes of blocks are held while a tensor is dequantized.
const chunk = 1 << 20

// Tensor reads one tensor: quantized ones as float32, the others with the type that they have.
func (f *File) Tensor(name string) (*onnx.Tensor, error) {
	t, err := f.tensor(name)
	if err != nil {
		return nil, limits.InFile(f.name, err)
	}
	return t, nil
}

func (f *File) tensor(name string) (*onnx.Tensor, error) {
	e, ok := f.Entry(name)
	if !ok {
		return nil, limits.Refuse("", "no tensor %s", limits.Name(name))
	}
	field := "tensor " + limits.Name(name)
	dtype := e.Type.DType()
	if dtype == onnx.Undefined {
		return nil, limits.Refuse(field, "%v is not dequantized", e.Type).
			WithHint("requantize the model with llama.cpp to Q8_0 or F16 first")
	}
	t := onnx.NewTensor(dtype, e.Dims...)
	t.Name = name
	kind, _ := e.Type.format()
	if kind.decode == nil {
		return t, limits.ReadAt(f.src, t.Data, e.Offset, field)
	}
	out := t.Float32s()
	blocks := chunk / kind.bytes
	buffer := make([]byte, min(e.Size, blocks*kind.bytes))
	for at := int64(0); at < e.Size; {
		part := buffer[:min(int64(len(buffer)), e.Size-at)]
		if err := limits.ReadAt(f.src, part, e.Offset+at, field); err != nil {
			return nil, err
		}
		n := int64(len(part)) / kind.bytes * kind.block
		kind.decode(out[:n], part)
		out = out[n:]
		at += int64(len(part))
	}
	return t, nil
}
