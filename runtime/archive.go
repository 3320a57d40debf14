package runtime

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strconv"
)

// Bounds of what is read from an archive. Libraries shrink to about a third; a file that claims to unpack to a thousand
// times its size is made to fill the disk.
const (
	maxUnpacked = 8 << 30
	maxRatio    = 100
	ratioFree   = 64 << 20 // unpacked bytes that are always allowed
	maxTaken    = 64       // libraries and providers
)

// unpacker takes libraries out of an archive, into files that it names itself.
type unpacker struct {
	work   string
	packed int64 // size of the archive
	read   int64 // unpacked bytes so far
	files  []found
}

// unpack takes the libraries and providers for this system out of the archive at from. ok is false when it is no archive.
func unpack(from, work string) (files []found, ok bool, err error) {
	f, err := os.Open(from)
	if err != nil {
		return nil, false, pathReason(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, false, err
	}
	head := make([]byte, 4)
	if _, err := io.ReadFull(f, head); err != nil {
		return nil, false, nil
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, false, err
	}
	u := &unpacker{work: work, packed: info.Size()}
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		err = u.tarGzip(f)
	case bytes.Equal(head, []byte("PK\x03\x04")):
		err = u.zip(f)
	default:
		return nil, false, nil
	}
	return u.files, true, err
}

func (u *unpacker) tarGzip(r io.Reader) error {
	z, err := gzip.NewReader(r)
	if err != nil {
		return fmt.Errorf("read archive: %w", err)
	}
	t := tar.NewReader(&meter{z, u})
	for entries := 0; ; entries++ {
		h, err := t.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil && !errors.Is(err, tar.ErrInsecurePath) {
			return fmt.Errorf("read archive: %w", err)
		}
		if entries >= maxSearched {
			return fmt.Errorf("read archive: more than %d entries", maxSearched)
		}
		if h.Typeflag == tar.TypeReg {
			if err := u.take(h.Name, &meter{t, u}); err != nil { // metered again: sparse entries grow here
				return err
			}
		}
	}
}

func (u *unpacker) zip(f *os.File) error {
	z, err := zip.NewReader(f, u.packed)
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		return fmt.Errorf("read archive: %w", err)
	}
	if len(z.File) > maxSearched {
		return fmt.Errorf("read archive: more than %d entries", maxSearched)
	}
	for _, e := range z.File {
		if !e.Mode().IsRegular() || !wanted(e.Name) {
			continue
		}
		r, err := e.Open()
		if err != nil {
			return fmt.Errorf("read archive: %w", err)
		}
		err = u.take(e.Name, &meter{r, u})
		r.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

func wanted(entry string) bool {
	name := path.Base(entry)
	return isLibraryName(name) || isProviderLibraryName(name)
}

// take writes an entry to a file with a number for a name, when it is called as a library or provider is.
func (u *unpacker) take(entry string, r io.Reader) error {
	if !wanted(entry) {
		return nil
	}
	if len(u.files) >= maxTaken {
		return fmt.Errorf("read archive: more than %d libraries", maxTaken)
	}
	to := filepath.Join(u.work, strconv.Itoa(len(u.files)))
	if err := writeFile(to, r, maxLibraryBytes); err != nil {
		return fmt.Errorf("unpack: %w", err)
	}
	u.files = append(u.files, found{to, path.Dir(entry), path.Base(entry)})
	return nil
}

// meter counts what is unpacked and stops what unpacks to too much.
type meter struct {
	io.Reader
	u *unpacker
}

func (m *meter) Read(p []byte) (int, error) {
	n, err := m.Reader.Read(p)
	m.u.read += int64(n)
	if m.u.read > maxUnpacked || m.u.read > ratioFree && m.u.read/maxRatio > m.u.packed {
		return 0, fmt.Errorf("the archive of %d bytes unpacks to more than %d", m.u.packed, m.u.read)
	}
	return n, err
}
