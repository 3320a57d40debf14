package onnx

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"graft/onnx/atomicfile"
)

// Placement says where Save puts weights.
type Placement int

const (
	// Inline keeps all weights in the model's file. A model that is larger than 2 GiB so, which protobuf cannot hold, is saved
	// as OneFile says.
	Inline Placement = iota
	// OneFile puts them into one file beside the model, called as the model with "_data" behind.
	OneFile
	// FileEach puts each into a file of its own beside the model: "_data.0", "_data.1" and so on.
	FileEach
	// Stay leaves weights that were read from files in the model's folder or below where they are, as long as nobody changed
	// them; the others are saved as Inline says.
	Stay
)

// SaveOptions say where weights go. The zero value is what Save does.
type SaveOptions struct {
	Weights Placement
	// Smallest is the least number of bytes that go into another file. 0: 1 KiB.
	Smallest int64
	// Alignment is that of each weight in a file, a power of two, so that a runtime can map it. 0: 4 KiB.
	Alignment int64
}

// Save writes m to path with all weights inline: the locations that the model was read from are never written to. The file
// appears whole or not at all. A model of more than 2 GiB is saved with its weights beside it.
//
// Weights that still lie in the file they were read from are copied from there by the system. A model that says what the file
// says that it was read from becomes a copy of that file, byte for byte.
func (m *Model) Save(path string) error { return m.SaveAs(path, SaveOptions{}) }

// SaveExternal writes m to path and the initializers of 1 KiB and more to path + "_data" beside it, which the model refers to.
// The data file comes first: a model that is there has its data, unless an older pair of the same names was interrupted between
// the two, so write to a fresh name what must not be lost.
func (m *Model) SaveExternal(path string) error {
	return m.SaveAs(path, SaveOptions{Weights: OneFile})
}

// SaveAs is Save with weights where o says.
func (m *Model) SaveAs(path string, o SaveOptions) error {
	if path == "" {
		return errors.New("save model: no path")
	}
	if o.Smallest <= 0 {
		o.Smallest = 1 << 10
	}
	if o.Alignment == 0 {
		o.Alignment = 4 << 10
	}
	if o.Alignment < 0 || o.Alignment > 1<<30 || o.Alignment&(o.Alignment-1) != 0 {
		return fmt.Errorf("save model: an alignment of %d bytes: want a power of two up to 2^30", o.Alignment)
	}
	if file, size := m.copyOf(path, o); file != nil {
		defer file.Close()
		return atomicfile.Write(path, 0o644, func(w io.Writer) error {
			return w.(rangeWriter).CopyRange(file, 0, size)
		})
	}
	encoded, files, err := m.layOut(path, o)
	if err != nil {
		return err
	}
	for _, f := range files {
		if reason := badLocation(f.location); reason != "" {
			return fmt.Errorf("save model: the name of its data file %s", reason)
		}
	}
	for _, f := range files {
		if err := atomicfile.Write(filepath.Join(filepath.Dir(path), f.location), 0o644, f.write); err != nil {
			return err
		}
	}
	return atomicfile.Write(path, 0o644, encoded.write)
}
