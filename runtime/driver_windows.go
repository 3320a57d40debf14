//go:build cgo && windows

package runtime

import "errors"

// readDriver is not written for Windows.
func readDriver(string) (*cudaDriver, error) { return nil, errors.New("not read on Windows") }
