package onnx

import "graft/onnx/internal/onnxpb"

func isExternal(t *onnxpb.TensorProto) bool {
	return t.GetDataLocation() == onnxpb.TensorProto_EXTERNAL
}

func refuseExternal(pb *onnxpb.ModelProto) error { return nil }
