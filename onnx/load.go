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

	mapped int64 // model files from this size on are mapped; 0: mappedFile
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
		head := make([]byte, min(size, limits.RecognizeLen))
		if limits.ReadAt(file, head, 0, "") == nil {
			err = elsewhere(head, size, err)
		}
		return nil, limits.InFile(path, err)
	}
	return m, nil
}

// elsewhere is err, or where the first bytes of so many are those of another format a refusal that says so.
func elsewhere(head []byte, size int64, err error) error {
	if _, ok := errors.AsType[*limits.InputError](err); !ok {
		return err
	}
	if what, hint := limits.Recognize(head, size); what != "" {
		e := limits.Refuse("", "is %s and no ONNX model", what)
		e.Hint = hint
		return e
	}
	return err
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
		m, err := how(r.resolve)
		used := r.close(m)
		if m != nil {
			m.mappings = append(m.mappings, used...)
			m.source = &source{path: path, options: o}
			m.source.files, m.source.locations = r.names()
		}
		return m, err
	}
	if size >= largeFile {
		m, err := read(func(external func(*onnxpb.ModelProto) error) (*Model, error) {
			return decodeLarge(file, size, size >= o.mapFrom(), external)
		})
		if !errors.Is(err, errNotCut) {
			return m, err
		}
	}
	data, done, err := o.whole(file, size)
	if err != nil {
		return nil, fmt.Errorf("read model: %w", err)
	}
	defer done()
	return read(func(external func(*onnxpb.ModelProto) error) (*Model, error) { return decode(data, external) })
}

// whole gives the bytes of a file until done is called.
func (o LoadOptions) whole(file *os.File, size int64) (data []byte, done func(), err error) {
	if size >= o.mapFrom() {
		if m := mapFile(file, size); m != nil {
			return m.data, m.release, nil
		}
	}
	data = make([]byte, size)
	_, err = io.ReadFull(io.NewSectionReader(file, 0, size), data)
	return data, func() {}, err
}

func (o LoadOptions) mapFrom() int64 {
	if o.mapped > 0 {
		return o.mapped
	}
	return mappedFile
}
