// Package hostiletest makes model files that were made to break readers: of each attack a few. It knows the format and not
// package onnx, so that the reader's own tests and those of the command line make the same files.
//
//	for _, m := range hostiletest.Models() {
//		m.Write(t, folder)
//		_, err := onnx.Load(filepath.Join(folder, hostiletest.File), onnx.LoadOptions{}) // tells m.Says
//	}
package hostiletest
