// Package onnxpb is the encoding of ONNX files: the standard's protobuf messages, generated. Only package onnx uses it.
//
//	var m onnxpb.ModelProto
//	if err := proto.Unmarshal(data, &m); err != nil {
//		return err
//	}
//	for _, n := range m.GetGraph().GetNode() {
//		fmt.Println(n.GetOpType(), n.GetInput(), n.GetOutput())
//	}
//	m.ProducerName = proto.String("graft")
//	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(&m)
package onnxpb

// The generator is google.golang.org/protobuf/cmd/protoc-gen-go at the version of the module's own protobuf requirement.
//go:generate protoc -I ../../.. --go_out=../../.. --go_opt=paths=source_relative onnx/internal/onnxpb/onnx.proto
