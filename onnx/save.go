package onnx

import (
	"errors"
	"os"

	"graft/onnx/atomicfile"
)

// Save writes m to path with all weights inline: the locations that the model was read from are never written to. The file
// appears whole or not at all. A model of more than 2 GiB is an error: SaveExternal writes those.
func (m *Model) Save(path string) error {
	if path == "" {
		return errors.New("save model: no path")
	}
	write, _, err := m.encoding()
	if err != nil {
		return err
	}
	return atomicfile.Write(path, os.FileMode(0o644), write)
}
