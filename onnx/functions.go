package onnx

import "graft/onnx/internal/onnxpb"

// functions checks the bodies that are carried along.
func (d *decoder) functions(list []*onnxpb.FunctionProto) {}
