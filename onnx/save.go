package onnx

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
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
	// them; the others are saved as SaveOptions.Others says.
	Stay
)

// SaveOptions say where weights go. The zero value is what Save does.
type SaveOptions struct {
	Weights Placement
	// Others says, beside Stay, where weights go that do not stay: Inline, OneFile or FileEach.
	Others Placement
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
func (m *Model) SaveExternal(path string) error {
	return m.SaveAs(path, SaveOptions{Weights: OneFile})
}

// SaveAs is Save with weights where o says. Files of weights and the model appear together, all of them whole, or none: see
// atomicfile.WriteAll.
func (m *Model) SaveAs(path string, o SaveOptions) error {
	s, err := m.Layout(path, o)
	if err != nil {
		return err
	}
	defer s.Close()
	return s.Write()
}

// Saving is a model that is laid out for a path: what its files will be. The model is not to be changed until it is closed.
type Saving struct {
	path    string
	copied  *os.File // the file that the model becomes a copy of; nil: it is encoded
	size    int64    // of the model's file
	encoded *encoding
	files   []*dataFile
	stay    []string
	forced  bool

	stayBytes int64
}

// SavedFile is a file that a Saving writes.
type SavedFile struct {
	Path  string
	Bytes int64
}

// Layout says what SaveAs would write, and writes it when asked to.
func (m *Model) Layout(path string, o SaveOptions) (*Saving, error) {
	if path == "" {
		return nil, errors.New("save model: no path")
	}
	if o.Smallest <= 0 {
		o.Smallest = 1 << 10
	}
	if o.Alignment == 0 {
		o.Alignment = 4 << 10
	}
	if o.Alignment < 0 || o.Alignment > 1<<30 || o.Alignment&(o.Alignment-1) != 0 {
		return nil, fmt.Errorf("save model: an alignment of %d bytes: want a power of two up to 2^30", o.Alignment)
	}
	if file, size := m.copyOf(path, o); file != nil {
		s := &Saving{path: path, copied: file, size: size}
		if o.Weights == Stay {
			s.stay, s.stayBytes = m.source.locations, math.MaxInt64
		}
		return s, nil
	}
	l, encoded, err := m.layOut(path, o)
	if err != nil {
		return nil, err
	}
	for _, f := range l.files {
		if reason := badLocation(f.location); reason != "" {
			return nil, fmt.Errorf("save model: the name of its data file %s", reason)
		}
	}
	return &Saving{path: path, size: int64(encoded.size), encoded: encoded, files: l.files, stay: l.stays(), stayBytes: l.stayBytes,
		forced: l.forced}, nil
}

// Files are what Write writes: the model's file, and those of its weights.
func (s *Saving) Files() []SavedFile {
	list := []SavedFile{{s.path, s.size}}
	for _, f := range s.files {
		list = append(list, SavedFile{s.beside(f), f.size})
	}
	return list
}

func (s *Saving) beside(f *dataFile) string { return filepath.Join(filepath.Dir(s.path), f.location) }

// Stay are the files beside the model, as it names them, in which weights stay.
func (s *Saving) Stay() []string { return s.stay }

// StayBytes is how many bytes of weights stay where they are; the largest number when all do, and the model is a copy.
func (s *Saving) StayBytes() int64 { return s.stayBytes }

// Forced reports whether weights go into a file of their own because the model is too large to have them inline as asked.
func (s *Saving) Forced() bool { return s.forced }

// Write writes the files.
func (s *Saving) Write() error {
	files := make([]atomicfile.File, 0, len(s.files)+1)
	for _, f := range s.files {
		files = append(files, atomicfile.File{Path: s.beside(f), Fill: f.write})
	}
	return atomicfile.WriteAll(0o666, append(files, atomicfile.File{Path: s.path, Fill: s.WriteModel})...)
}

// WriteModel writes what goes into the model's own file.
func (s *Saving) WriteModel(w io.Writer) error {
	if s.copied == nil {
		return s.encoded.write(w)
	}
	if to, ok := w.(rangeWriter); ok {
		return to.CopyRange(s.copied, 0, s.size)
	}
	n, err := io.Copy(w, io.NewSectionReader(s.copied, 0, s.size))
	if err == nil && n < s.size {
		err = errors.New("save model: the file that it was read from became shorter")
	}
	return err
}

// Close gives back what Layout holds.
func (s *Saving) Close() error {
	if s.copied == nil {
		return nil
	}
	return s.copied.Close()
}
