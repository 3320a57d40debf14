// Package packed stores models whose weights are mostly zero in the least space that leaves them readable in a few lines of any
// language: a safetensors file of the graph, which takes its weights as inputs, and for each weight the values that are not
// zero and, in Golomb-Rice code, how many zeros lie in front of each.
//
//	if err := packed.Write(w, pruned, packed.Config{}); err != nil {
//		return err
//	}
//	m, err := packed.Read("model.packed.safetensors") // weights are the same to the bit
//
// Tensors of the file: "graph", an ONNX model; for a weight W "values/W", float32, float16 or int8 [n], and "zeros/W", uint8; for
// int8 "scales/W" too, float32, one for each index of the weight's first axis, by which values are multiplied.
// Metadata: "format" is "graft.packed.1"; "weight/W" is "place 17 rice 4 dims 128 64 3 3", its place being that among the
// initializers of the model.
//
// A number of zeros z is z >> rice ones, a zero, and the low rice bits of z, the lowest first; bits fill bytes from the lowest.
package packed
