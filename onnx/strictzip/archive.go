package strictzip

import (
	"bytes"
	"cmp"
	"compress/flate"
	"errors"
	"hash/crc32"
	"io"
	"slices"

	"graft/onnx/limits"
)

const (
	maxEntries = 100_000
	maxName    = 1024
	maxRatio   = 1100 // deflate reaches 1032
)

// Entry is one file of an archive.
type Entry struct {
	Name string
	Size int64 // of the content

	deflated bool
	crc      uint32
	packed   int64 // bytes in the archive
	flags    uint16
	local    int64 // offset of the local header
	data     int64 // offset of the content
}

// Archive is an archive whose structure has been checked. It is safe for concurrent use.
type Archive struct {
	src     io.ReaderAt
	entries []Entry // by position
	index   map[string]int
}

// IsZip reports whether a file that begins with magic claims to be a ZIP archive.
func IsZip(magic []byte) bool {
	return bytes.HasPrefix(magic, []byte("PK\x03\x04")) || bytes.HasPrefix(magic, []byte("PK\x05\x06"))
}

// Open checks the structure of the archive of size bytes in src. Refused input is a *limits.InputError.
func Open(src io.ReaderAt, size int64) (*Archive, error) {
	entries, directory, err := readDirectory(src, size)
	if err != nil {
		return nil, err
	}
	a := &Archive{src: src, entries: entries, index: make(map[string]int, len(entries))}
	slices.SortStableFunc(a.entries, func(a, b Entry) int { return cmp.Compare(a.local, b.local) })
	inflated := limits.NewBudget("inflated bytes", 256<<20+100*size)
	at := int64(0)
	for i := range a.entries {
		e := &a.entries[i]
		field := "zip entry " + limits.Name(e.Name)
		if _, twice := a.index[e.Name]; twice {
			return nil, limits.Refuse(field, "appears twice")
		}
		a.index[e.Name] = i
		if e.local != at {
			return nil, limits.Refuse(field, "begins at byte %d, the one before it ends at byte %d", e.local, at)
		}
		next := directory
		if i+1 < len(a.entries) {
			next = a.entries[i+1].local
		}
		if err := e.checkLocal(src, next, field); err != nil {
			return nil, err
		}
		if e.deflated {
			if e.Size/maxRatio > e.packed {
				return nil, limits.Refuse(field, "%d bytes from %d packed ones, the ratio is above %d", e.Size, e.packed, maxRatio)
			}
			if err := inflated.Spend(e.Size, field); err != nil {
				return nil, err
			}
		}
		at = next
	}
	if at != directory {
		return nil, limits.Refuse("zip", "%d bytes before the directory belong to no entry", directory-at)
	}
	return a, nil
}

// Entries are the entries in the order of their bytes. The slice is the archive's own.
func (a *Archive) Entries() []Entry { return a.entries }

// Entry finds an entry by its exact name.
func (a *Archive) Entry(name string) (Entry, bool) {
	i, ok := a.index[name]
	if !ok {
		return Entry{}, false
	}
	return a.entries[i], true
}

// Bytes is the content of the named entry.
func (a *Archive) Bytes(name string) ([]byte, error) {
	e, ok := a.Entry(name)
	if !ok {
		return nil, limits.Refuse("zip", "no entry %s", limits.Name(name))
	}
	b := make([]byte, e.Size)
	return b, a.ReadInto(e.Name, b)
}

// ReadInto reads the named entry into dst, which must have the entry's size, and checks the CRC.
func (a *Archive) ReadInto(name string, dst []byte) error {
	e, ok := a.Entry(name)
	if !ok {
		return limits.Refuse("zip", "no entry %s", limits.Name(name))
	}
	field := "zip entry " + limits.Name(name)
	if int64(len(dst)) != e.Size {
		return limits.Refuse(field, "has %d bytes, %d were expected", e.Size, len(dst))
	}
	if e.deflated {
		if err := inflate(dst, io.NewSectionReader(a.src, e.data, e.packed), field); err != nil {
			return err
		}
	} else if err := limits.ReadAt(a.src, dst, e.data, field); err != nil {
		return err
	}
	if crc := crc32.ChecksumIEEE(dst); crc != e.crc {
		return limits.Refuse(field, "CRC is %08x, the directory says %08x", crc, e.crc)
	}
	return nil
}

// inflate fills dst and wants the stream to end there, with no packed byte left over.
func inflate(dst []byte, packed *io.SectionReader, field string) error {
	source := &byteCounter{r: packed}
	z := flate.NewReader(source)
	if n, err := io.ReadFull(z, dst); err != nil {
		return streamError(err, field, "%d bytes declared, the packed stream has %d", len(dst), n)
	}
	var one [1]byte
	switch n, err := io.ReadFull(z, one[:]); {
	case n > 0:
		return limits.Refuse(field, "%d bytes declared, the packed stream has more", len(dst))
	case !errors.Is(err, io.EOF):
		return streamError(err, field, "the packed stream does not end")
	}
	if left := packed.Size() - source.taken; left != 0 {
		return limits.Refuse(field, "%d bytes after the end of the packed stream", left)
	}
	return nil
}

// streamError is a refusal for a damaged stream, and err itself when reading failed.
func streamError(err error, field, format string, args ...any) error {
	var corrupt flate.CorruptInputError
	switch {
	case errors.As(err, &corrupt):
		return limits.Refuse(field, "packed stream is damaged at its byte %d", int64(corrupt))
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return limits.Refuse(field, format, args...)
	}
	return err
}

// byteCounter is an io.ByteReader, so that flate takes no byte beyond the stream's end.
type byteCounter struct {
	r     io.Reader
	buf   [4096]byte
	have  []byte
	taken int64
}

func (c *byteCounter) ReadByte() (byte, error) {
	if len(c.have) == 0 {
		n, err := c.r.Read(c.buf[:])
		if n == 0 {
			if err == nil {
				err = io.ErrNoProgress
			}
			return 0, err
		}
		c.have = c.buf[:n]
	}
	b := c.have[0]
	c.have = c.have[1:]
	c.taken++
	return b, nil
}

func (c *byteCounter) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if len(c.have) == 0 {
		n, err := c.r.Read(p)
		c.taken += int64(n)
		return n, err
	}
	n := copy(p, c.have)
	c.have = c.have[n:]
	c.taken += int64(n)
	return n, nil
}
