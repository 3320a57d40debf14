// Package gguf reads GGUF files, versions 2 and 3: typed metadata and tensors. The reader is strict and lazy: opening reads
// the header, the metadata and the table of tensors and holds all of it against the size of the file; a tensor's bytes are
// read when it is asked for. Block-quantized tensors come out as float32.
//
//	f, err := gguf.Open("model.gguf")
//	if err != nil {
//		return err // `model.gguf: tensor "w": 4096 bytes at byte 8192, the file ends at byte 9000`
//	}
//	defer f.Close()
//	name, _ := f.String("general.name")
//	for _, e := range f.Entries() {
//		t, err := f.Tensor(e.Name) // Q4_K and the like dequantized; F32, F16, BF16 and integers as they are
//		...
//	}
//
// Text of the metadata, chat templates among it, is text: nothing in it is executed.
package gguf
