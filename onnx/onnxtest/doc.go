// Package onnxtest compares graphs and tensors in tests: golden cases in txtar files, tensors within tolerances, and the
// recorded inputs and outputs of ONNX's own node tests.
//
//	func TestFold(t *testing.T) {
//		onnxtest.Golden(t, "testdata/fold/*.txtar", func(m *onnx.Model) (string, error) {
//			err := rewrite.Fold(m)
//			return m.Text(), err
//		})
//	}
//
// Each txtar file holds the model as "in" and what the function gives for it as "want"; go test -update rewrites "want".
package onnxtest
