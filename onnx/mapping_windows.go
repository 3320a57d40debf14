package onnx

import (
	"errors"
	"os"
)

// mapMemory maps nothing: Windows replaces no file that is mapped, and a model is often saved over the one it was read from.
func mapMemory(*os.File, int) ([]byte, *os.File, error) { return nil, nil, errors.ErrUnsupported }

func unmapMemory([]byte) {}
