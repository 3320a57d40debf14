package onnx

import (
	"errors"
	"fmt"
	"os"
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
	var refused *InputError
	if errors.As(err, &refused) {
		refused.File = path
	}
	return m, err
}
