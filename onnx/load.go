package onnx

import (
	"errors"
	"fmt"
	"os"

	"graft/onnx/limits"
)

// LoadOptions say what Load may do beyond reading the file. The zero value suits.
type LoadOptions struct {
	// AllowExternal lists directories, besides the model's own, in which the model may keep its weights.
	AllowExternal []string
}

// Load reads a model from a file.
func Load(path string, o LoadOptions) (*Model, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("load model: %w", err)
	}
	m, err := decode(data, nil)
	if invalid, ok := errors.AsType[*InvalidError](err); ok {
		invalid.File = path
		return nil, invalid
	}
	return m, limits.InFile(path, err)
}
