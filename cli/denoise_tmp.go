package cli

import (
	"graft/masking"
	"graft/onnx"
)

func loadMask(path string, m *onnx.Model) (*masking.Set, error) { return masking.ReadFile(path) }
