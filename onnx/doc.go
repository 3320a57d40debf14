// Package onnx is the model in memory: graphs of nodes whose edges are pointers, tensors, and the codecs that read and
// write ONNX files and ONNX's textual syntax.
//
//	m, err := onnx.Load("model.onnx", onnx.LoadOptions{})
//	if err != nil {
//		return err // `model.onnx: graph: node "Conv_3 (Conv)" reads "w", which nothing defines`
//	}
//	for _, n := range m.Graph.Nodes() {
//		fmt.Println(n, n.Input(0).Type, onnx.AttrOr(n, "axis", int64(-1)))
//	}
//	fmt.Println(onnx.Check(m), m.Text())
//	if err := m.Save("copy.onnx"); err != nil {
//		return err
//	}
package onnx
