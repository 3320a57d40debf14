package atomicfile

import (
	"bufio"
	"errors"
	"io"
	"os"
)

// target is the file that fill writes to.
type target struct {
	*bufio.Writer
	sink *sink
	file *os.File
}

// errShorter says that a file lost its end while it was copied from.
var errShorter = errors.New("a file that is copied from became shorter")

// CopyRange writes n bytes of another file from an offset on. Where the system can, it copies them itself, or lets both files
// share them.
func (t *target) CopyRange(from *os.File, offset, n int64) error {
	if err := t.Flush(); err != nil {
		return err
	}
	done, err := systemCopy(t.file, from, offset, n)
	if err != nil {
		if t.sink.err == nil {
			t.sink.err = err
		}
		return err
	}
	if done < n {
		var copied int64
		copied, err = io.CopyBuffer(t.sink, io.NewSectionReader(from, offset+done, n-done), make([]byte, 1<<20))
		if err == nil && copied < n-done {
			err = errShorter
		}
	}
	return err
}
