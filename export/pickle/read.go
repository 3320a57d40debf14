package pickle

import (
	"bytes"
	"io"

	"graft/onnx/limits"
	"graft/onnx/strictzip"
)

const (
	maxPickle  = 256 << 20 // bytes of an archive's data.pkl
	headroom   = 32 << 20  // bytes of memory beyond those in proportion to the file
	memoryRate = 4         // bytes of memory for each byte of the file
)

type readerAt = io.ReaderAt

// session is what the pickles of one file share.
type session struct {
	opcodes, tensors, values, memory *limits.Budget
	nested                           bool // inside a file that stands in a pickle
}

// where names a part of the file.
func (s *session) where(part string) string {
	if s.nested {
		return "pickle: inner " + part
	}
	return "pickle: " + part
}

// ReadFile reads the file at path. Refused input is a *limits.InputError.
func ReadFile(path string) (*File, error) {
	f, size, err := limits.OpenRegular(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return Read(f, size, path)
}

// Read reads the size bytes of src; name stands in errors. The kind of file is told by its content, never by its name.
func Read(src io.ReaderAt, size int64, name string) (*File, error) {
	f := &File{Name: name}
	if err := f.read(src, size); err != nil {
		return nil, limits.InFile(name, err)
	}
	return f, nil
}

func (f *File) read(src io.ReaderAt, size int64) error {
	head := make([]byte, min(size, 512))
	if err := limits.ReadAt(src, head, 0, "pickle"); err != nil {
		return err
	}
	if err := refuseOthers(head); err != nil {
		return err
	}
	memory, ok := limits.MulInt(max(size, 0), memoryRate)
	if ok {
		memory, ok = limits.AddInt(memory, headroom)
	}
	if !ok {
		return limits.Refuse("pickle", "%d bytes", size)
	}
	s := &session{
		opcodes: limits.NewBudget("opcodes", maxOpcodes), tensors: limits.NewBudget("tensors", maxTensors),
		values: limits.NewBudget("values", maxValues), memory: limits.NewBudget("bytes of tensors, for a file of its size,", memory),
	}
	root, err := f.run(s, src, size, head)
	if err != nil {
		return err
	}
	f.Root, err = s.export(root, "pickle")
	return err
}

// run executes the file's pickles.
func (f *File) run(s *session, src io.ReaderAt, size int64, head []byte) (any, error) {
	if strictzip.IsZip(head) {
		f.Format = "torch zip"
		return s.archive(src, size)
	}
	r := limits.NewReader(src, size)
	first := &machine{session: s, r: r, where: "pickle"}
	root, err := first.run()
	if err != nil {
		return nil, err
	}
	if isLegacyMagic(root) {
		f.Format = "torch legacy"
		return s.legacy(src, r)
	}
	if r.Remaining() != 0 {
		return nil, limits.Refuse("pickle", "%d bytes after STOP", r.Remaining())
	}
	f.Format = "pickle"
	return root, nil
}

// refuseOthers names the kinds of file that people mistake for a pickle, with the way to convert them.
func refuseOthers(head []byte) error {
	switch {
	case len(head) == 0:
		return limits.Refuse("pickle", "the file is empty")
	case len(head) >= 262 && bytes.Equal(head[257:262], []byte("ustar")):
		return limits.Refuse("pickle", "a tar checkpoint of PyTorch before 0.1.10, or another tar file").
			WithHint("load it in a PyTorch before 2.6 and save model.state_dict()")
	case bytes.HasPrefix(head, []byte("\x89HDF\r\n\x1a\n")):
		return limits.Refuse("pickle", "an HDF5 file, as Keras writes").WithHint("export the model to ONNX with tf2onnx")
	}
	return nil
}
