// Package kernels knows which operators an execution provider of ONNX Runtime has kernels for, and says which nodes of a model
// would run on the CPU instead, without the provider at hand.
//
//	for _, f := range kernels.Fallbacks(model, "CUDAExecutionProvider") {
//		fmt.Println(f.Node, f.Why)
//	}
package kernels
