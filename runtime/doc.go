// Package runtime finds ONNX Runtime, loads it and runs models with it.
//
// A model is always handed over as bytes, so that the caller has read and checked it first: ONNX Runtime runs inside the
// process and never opens a file itself.
//
//	s, err := runtime.Open(model, runtime.Options{})
//	if err != nil {
//		return err
//	}
//	defer s.Close()
//	x := onnx.FromSlice([]float32{1, 2, 3})
//	out, err := s.Run(ctx, map[string]*onnx.Tensor{"x": x})
//	if err != nil {
//		return err
//	}
//	fmt.Println(out["y"].Float32s())
//
// Training keeps its parameters inside: see Session.NewState. Checking a library means loading it, which runs its code: name
// only libraries that you trust.
package runtime
