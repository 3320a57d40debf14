//go:build graft_modules

package runtime

// These modules carry ONNX Runtime's library for moduleLibrary. Nothing is ever built from them; importing them keeps them
// in go.mod and their sums in go.sum.
import (
	_ "github.com/k2-fsa/sherpa-onnx-go-linux"
	_ "github.com/k2-fsa/sherpa-onnx-go-macos"
	_ "github.com/k2-fsa/sherpa-onnx-go-windows"
)
