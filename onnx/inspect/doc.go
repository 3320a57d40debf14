// Package inspect describes a model without running it: what it is made of, how many parameters and multiply-accumulates it
// has, layer by layer, and what a checker finds in it. Operators that nobody knows are listed like the others.
//
//	m, err := onnx.Load("model.onnx", onnx.LoadOptions{})
//	if err != nil {
//		return err
//	}
//	s := inspect.Describe(m)
//	fmt.Println(s.Parameters, s.Nonzero, s.MACs)
//	for _, l := range s.Layers {
//		fmt.Println(l.Name, l.Op, l.Parameters, l.MACs)
//	}
//	for _, f := range inspect.Check(m) {
//		fmt.Println(f)
//	}
package inspect
