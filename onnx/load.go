package onnx

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"

	"graft/onnx/internal/onnxpb"
	"graft/onnx/limits"
)

// LoadOptions say what Load may do beyond reading the file. The zero value suits.
type LoadOptions struct {
	// AllowExternal lists directories, besides the model's own, in which the model may keep its weights.
	AllowExternal []string
	// MaxExternal bounds the bytes of weights in other files. 0: 64 GiB.
	MaxExternal int64
	// External is told of every tensor that is read from another file: the file as the model names it, and the part of it.
	// It may be nil.
	External func(location string, offset, length int64)
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
	m, err := o.decode(path, file, info, size)
	if invalid, ok := errors.AsType[*InvalidError](err); ok {
		invalid.File = path
		return nil, invalid
	}
	if err != nil {
		return nil, limits.InFile(path, err)
	}
	return m, nil
}

// decode reads the model in an open file, and the weights that it keeps in others.
func (o LoadOptions) decode(path string, file *os.File, info os.FileInfo, size int64) (*Model, error) {
	limit := o.MaxExternal
	if limit <= 0 {
		limit = 64 << 30
	}
	if strconv.IntSize == 32 {
		limit = min(limit, math.MaxInt32)
	}
	read := func(how func(external func(*onnxpb.ModelProto) error) (*Model, error)) (*Model, error) {
		r := externalReader{folders: foldersOf(path, o.AllowExternal), model: info, limit: limit, files: map[string]*externalFile{}, told: o.External}
		defer r.close()
		return how(r.resolve)
	}
	if size >= largeFile {
		m, err := read(func(external func(*onnxpb.ModelProto) error) (*Model, error) {
			return decodeLarge(io.NewSectionReader(file, 0, size), size, external)
		})
		if err == nil {
			return m, nil
		}
	}
	data := make([]byte, size)
	if _, err := io.ReadFull(io.NewSectionReader(file, 0, size), data); err != nil {
		return nil, fmt.Errorf("read model: %w", err)
	}
	return read(func(external func(*onnxpb.ModelProto) error) (*Model, error) { return decode(data, external) })
}
