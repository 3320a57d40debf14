//go:build !unix && !windows

package onnx

import (
	"io/fs"
	"os"
)

// hardLinks is 1 where the system does not tell.
func hardLinks(*os.File, fs.FileInfo) uint64 { return 1 }
