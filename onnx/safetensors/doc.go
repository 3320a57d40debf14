// Package safetensors reads and writes the safetensors format: an 8-byte little-endian header length, a JSON header that
// gives every tensor's element type, shape and byte range, and the bytes. The reader is strict (one meaning for each file,
// no byte outside a tensor) and lazy; the writer is deterministic.
//
//	f, err := safetensors.Open("model.safetensors") // reads the header only
//	if err != nil {
//		return err
//	}
//	defer f.Close()
//	for _, name := range f.Names() {
//		t, err := f.Tensor(name) // reads this tensor's bytes
//		...
//	}
//	err = safetensors.Write(w, tensors, map[string]string{"format": "pt"})
package safetensors
