package onnx

import (
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"

	"graft/onnx/limits"
)

// LoadOptions say what Load may do beyond reading the file. The zero value suits.
type LoadOptions struct {
	// AllowExternal lists directories, besides the model's own, in which the model may keep its weights.
	AllowExternal []string
	// MaxExternal bounds the bytes of weights in other files. 0: 64 GiB.
	MaxExternal int64
}

// Load reads a model from a file, with the weights that it keeps in files beside it. Those are opened here and nowhere
// else: inside of the model's folder (or one that the options allow, or the blobs of the Hugging Face cache that the model
// lies in), as regular files with one name, within their bounds. Tensors that name the same bytes share their memory.
//
// Errors are those of Decode, with the file's name, and those of the file system.
func Load(path string, o LoadOptions) (*Model, error) {
	file, size, err := limits.OpenRegular(path)
	if err != nil {
		return nil, fmt.Errorf("load model: %w", err)
	}
	defer file.Close()
	if size > maxFileBytes {
		return nil, limits.InFile(path, refuse("%d bytes, an ONNX file has at most %d", size, maxFileBytes))
	}
	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("load model: %w", err)
	}
	data := make([]byte, size)
	if _, err := io.ReadFull(file, data); err != nil {
		return nil, fmt.Errorf("load model: read %s: %w", path, err)
	}
	r := externalReader{folders: foldersOf(path, o.AllowExternal), model: info, limit: o.MaxExternal, files: map[string]*externalFile{}}
	if r.limit <= 0 {
		r.limit = 64 << 30
	}
	if strconv.IntSize == 32 {
		r.limit = min(r.limit, math.MaxInt32)
	}
	defer r.close()
	m, err := decode(data, r.resolve)
	if invalid, ok := errors.AsType[*InvalidError](err); ok {
		invalid.File = path
		return nil, invalid
	}
	if err != nil {
		return nil, limits.InFile(path, err)
	}
	return m, nil
}
