package atomicfile

import (
	"errors"
	"io"
	"io/fs"
	"os"
)

// Write makes the file path of what fill writes, with the permissions perm less the umask. A reader sees the file that was
// there before or the whole new one, also after a crash. A symbolic link at path is replaced, not followed. A folder, a
// device, a pipe or a link to one is refused. When fill or the disk fails, nothing is left behind and path is untouched.
// The error is fill's own, or an *Error. What fill writes to has a method CopyRange too, which takes a part of another file:
//
//	CopyRange(from *os.File, offset, n int64) error
func Write(path string, perm fs.FileMode, fill func(io.Writer) error) error {
	return WriteAll(perm, File{path, fill})
}

// WriteFile is Write of bytes.
func WriteFile(path string, data []byte, perm fs.FileMode) error {
	return Write(path, perm, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// refuseTarget says why path cannot be replaced by a file.
func refuseTarget(path string) error {
	info, err := os.Stat(path) // through links: what a link to a device stands for is not replaced either
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		if link, lerr := os.Lstat(path); lerr == nil && link.Mode()&fs.ModeSymlink != 0 {
			return nil // a link in a loop, or to where nobody may look
		}
		return wrap(path, err)
	}
	switch {
	case info.IsDir():
		return &Error{Path: path, Reason: "is a folder: name a file in it", Err: fs.ErrExist}
	case !info.Mode().IsRegular():
		return &Error{Path: path, Reason: "is a device or a pipe: name a file", Err: fs.ErrExist}
	}
	return nil
}

// sink remembers the first error of the file.
type sink struct {
	w   io.Writer
	err error
}

func (s *sink) Write(p []byte) (int, error) {
	n, err := s.w.Write(p)
	if err != nil && s.err == nil {
		s.err = err
	}
	return n, err
}
