package limits

import (
	"bytes"
	"encoding/binary"
)

// RecognizeLen is how much of a file's beginning Recognize looks at.
const RecognizeLen = 512

// wayOfWeights is what weights without a network are good for.
const wayOfWeights = "graft convert MODEL.onnx --weights FILE puts weights into a model"

// known are files that people give to a reader of others, by bytes at a place.
var known = []struct {
	offset            int
	magic, what, hint string
}{
	{0, "\x89HDF\r\n\x1a\n", "an HDF5 file, as Keras writes", "export the model to ONNX with tf2onnx"},
	{0, "PK\x03\x04", "a ZIP archive, as PyTorch, NumPy and Keras write", wayOfWeights + "; a Keras model is exported to ONNX with tf2onnx"},
	{0, "GGUF", "a GGUF file", wayOfWeights},
	{0, "\x93NUMPY", "an array of NumPy", "a model's inputs are given with --input or --inputs"},
	{0, "\x80\x02", "a pickle, as PyTorch writes", wayOfWeights},
	{0, "\x80\x03", "a pickle, as PyTorch writes", wayOfWeights},
	{0, "\x80\x04", "a pickle, as PyTorch writes", wayOfWeights},
	{0, "\x80\x05", "a pickle, as PyTorch writes", wayOfWeights},
	{257, "ustar", "a tar archive", "unpack it first"},
	{0, "\x1f\x8b", "a gzip archive", "unpack it first"},
	{4, "ORTM", "a model in ONNX Runtime's own format", "give the ONNX file that it was made of"},
	{4, "TFL3", "a TensorFlow Lite model", "export it to ONNX with tf2onnx"},
	{0, "version https://git-lfs.github.com/spec/", "the placeholder of a file that Git LFS keeps", "git lfs pull fetches the file itself"},
	{0, "\x89PNG\r\n\x1a\n", "a PNG image", ""},
	{0, "\xff\xd8\xff", "a JPEG image", ""},
	{0, "%PDF", "a PDF document", ""},
	{0, "<!DOCTYPE html", "an HTML page", "fetch the file again: this is what a server answers with"},
	{0, "<!doctype html", "an HTML page", "fetch the file again: this is what a server answers with"},
	{0, "<html", "an HTML page", "fetch the file again: this is what a server answers with"},
}

// Recognize says what a file of size bytes that begins with head seems to be, for the message of a reader that it is not for; "" where its
// bytes do not say. hint, where there is one, is what to do with it.
func Recognize(head []byte, size int64) (what, hint string) {
	for _, k := range known {
		if len(head) >= k.offset && bytes.HasPrefix(head[k.offset:], []byte(k.magic)) {
			return k.what, k.hint
		}
	}
	if len(head) > 8 && head[8] == '{' && binary.LittleEndian.Uint64(head) <= uint64(size) {
		if bytes.Contains(head, []byte(`"format":"graft.packed.`)) {
			return "a model that graft export --packed has written", "graft unpack FILE --out MODEL.onnx makes one of it"
		}
		return "a safetensors file", wayOfWeights
	}
	return "", ""
}
