// Package onnx is the model in memory: graphs of nodes whose edges are pointers, tensors, and the codecs that read and
// write ONNX files.
package onnx
