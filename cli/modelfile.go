package cli

import (
	"fmt"

	"graft/onnx"
)

// loadModel reads a model file with the weights it keeps beside it, by the rules of --allow-external.
func (c *call) loadModel(path string) (*onnx.Model, error) {
	m, err := onnx.Load(path, onnx.LoadOptions{AllowExternal: c.Common.AllowExternal})
	if err != nil {
		return nil, refused(path, err)
	}
	return m, nil
}

// encodeModel gives the bytes of a model, which path names in errors.
func encodeModel(m *onnx.Model, path string) ([]byte, error) {
	data, err := m.Encode()
	if err != nil {
		return nil, refused(path, fmt.Errorf("encode model: %w", err))
	}
	return data, nil
}
