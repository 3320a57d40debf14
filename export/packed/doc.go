// Package packed stores models whose weights are mostly zero in the least space that leaves them readable in a few lines of any
// language: a safetensors file of the graph, which takes its weights as inputs, and for each weight the values that are not
// zero and, in Golomb-Rice code, how many zeros lie in front of each.
//
//	if err := packed.Write(w, pruned, packed.Config{}); err != nil {
//		return err
//	}
//	m, err := packed.Read("model.packed.safetensors") // weights are the same to the bit
//
// Tensors of the file: "graph", an ONNX model; "values/W", float32 or float16 [n], and "zeros/W", uint8, for a weight W.
// Metadata: "format" is "graft.packed.1"; "weight/W" is "rice 4 dims 128 64 3 3".
//
// A number of zeros z is z >> rice ones, a zero, and the low rice bits of z, the lowest first; bits fill bytes from the lowest.
package packed
