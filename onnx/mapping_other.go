//go:build !linux

package onnx

// written supposes that data was written to: no other system says of a page whether it still is the file's.
func written([]byte) bool { return true }
