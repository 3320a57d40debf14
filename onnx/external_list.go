package onnx

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"graft/onnx/internal/onnxpb"
	"graft/onnx/limits"
)

// errListed ends the reading of a model whose external data has been listed.
var errListed = errors.New("listed")

// ExternalFiles lists the files in which a model keeps its weights, as the model names them, which is relative to its
// folder, each once. Nothing of the weights is read, nor is it asked whether they may lie there.
func ExternalFiles(path string) ([]string, error) {
	file, size, err := limits.OpenRegular(path)
	if err != nil {
		return nil, fmt.Errorf("load model: %w", err)
	}
	defer file.Close()
	if size > maxFileBytes {
		return nil, limits.InFile(path, refuse("%d bytes, an ONNX file has at most %d", size, maxFileBytes))
	}
	var found []string
	visit := func(pb *onnxpb.ModelProto) error {
		found = nil
		err := tensors(pb, func(t *onnxpb.TensorProto, where string) error {
			if !isExternal(t) {
				return nil
			}
			d, err := parseExternal(t, externalField(t, where))
			if err == nil && !slices.Contains(found, d.location) {
				found = append(found, d.location)
			}
			return err
		})
		return errors.Join(err, errListed)
	}
	if size >= largeFile {
		if _, err := decodeLarge(file, size, size >= mappedFile, visit); errors.Is(err, errListed) {
			return listed(path, found, err)
		}
	}
	data, err := readWhole(file, size)
	if err != nil {
		return nil, err
	}
	_, err = decode(data, visit)
	return listed(path, found, err)
}

func listed(path string, found []string, err error) ([]string, error) {
	if err == nil || onlyListed(err) {
		return found, nil
	}
	return nil, limits.InFile(path, err)
}

func onlyListed(err error) bool {
	joined, ok := errors.AsType[interface {
		error
		Unwrap() []error
	}](err)
	return ok && len(joined.Unwrap()) == 1 && errors.Is(err, errListed)
}

func readWhole(file *os.File, size int64) ([]byte, error) {
	data := make([]byte, size)
	if _, err := io.ReadFull(io.NewSectionReader(file, 0, size), data); err != nil {
		return nil, fmt.Errorf("read model: %w", err)
	}
	return data, nil
}
