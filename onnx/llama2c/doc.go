// Package llama2c reads the weights of llama2.c's first file layout: seven int32 (width, hidden width, layers, heads, key-value
// heads, vocabulary, negative where the classifier has weights of its own, and longest sequence), then float32 matrices, each for
// all layers, and tables of cosines and sines that follow from the header. The file holds exactly what its header says, or is
// refused.
//
//	f, err := llama2c.Open("stories260K.bin")
//	if err != nil {
//		return err // "stories260K.bin: llama2.c header: 1056540 bytes follow from it, the file has 4096"
//	}
//	defer f.Close()
//	for _, e := range f.Entries() {
//		t, err := f.Tensor(e.Name) // model.layers.0.self_attn.q_proj.weight and so on
//		...
//	}
//
// Tensors have the names, shapes and order of rows of Hugging Face's Llama: there the two halves of a head turn together, in
// llama2.c neighbours do, so that the rows of q_proj and k_proj change places.
package llama2c
