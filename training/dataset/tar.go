package dataset

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"

	"graft/onnx/limits"
)

const (
	tarBlock = 512
	// maxTarText is the longest name or set of attributes that an entry may carry in front of it.
	maxTarText = 1 << 16
	// maxTarTexts is how many of these may stand in front of one entry.
	maxTarTexts = 8
	// tarSlack and tarRatio bound what a packed archive unpacks to: pictures hardly pack, headers of small ones do.
	tarSlack, tarRatio = 16 << 20, 32
	// maxTarTail is how many zeros may stand behind the end of an archive: writers fill a record up.
	maxTarTail = 1 << 20
)

// tarLinks are entries that are no file and no folder, by their type.
var tarLinks = map[byte]string{'1': "a hard link", '2': "a symbolic link", '3': "a device", '4': "a device", '6': "a pipe", 'S': "a sparse file"}

// tarEntry is a file or a folder of an archive.
type tarEntry struct {
	name   string // cleaned, relative, below the archive's root
	folder bool
	size   int64
}

// tarReader walks an archive from front to back: ustar, with the long names of GNU and of POSIX. Nothing is written to disk. A
// name that leads out, a link and a device are refused, as is an archive without its end.
type tarReader struct {
	r       io.Reader
	gzipped bool
	left    int64 // of the entry's bytes and the padding behind them
	padding int64
	budget  *limits.Budget
}

func newTarReader(f *source) (*tarReader, error) {
	plain, err := f.plain()
	if err != nil {
		return nil, err
	}
	most := f.size
	if f.gzipped {
		most = min(f.most(), tarSlack+f.size*tarRatio)
	}
	return &tarReader{r: bufio.NewReaderSize(plain, 1<<16), gzipped: f.gzipped, budget: limits.NewBudget("bytes", most)}, nil
}

func isTar(f *source) bool {
	return !f.folder && len(f.head) >= tarBlock && string(f.head[257:262]) == "ustar"
}

// next goes to the next entry; io.EOF behind the last.
func (t *tarReader) next() (*tarEntry, error) {
	var long string
	var size int64 = -1
	for texts := 0; ; texts++ {
		if err := t.skip(t.left + t.padding); err != nil {
			return nil, err
		}
		t.left, t.padding = 0, 0
		var h [tarBlock]byte
		if err := t.fill(h[:], "tar header"); err != nil {
			return nil, err
		}
		if h == [tarBlock]byte{} {
			return nil, t.end()
		}
		own, err := tarSize(h[:])
		if err != nil {
			return nil, err
		}
		kind := h[156]
		text := kind == 'x' || kind == 'L' || kind == 'g' || kind == 'K'
		if size >= 0 && !text {
			own = size
		}
		t.left, t.padding = own, (tarBlock-own%tarBlock)%tarBlock
		if !text {
			return t.entry(h[:], kind, long, own)
		}
		if texts == maxTarTexts {
			return nil, limits.Refuse("tar entry", "more than %d names and attributes in a row", maxTarTexts)
		}
		if own > maxTarText {
			return nil, limits.Refuse("tar entry", "has a name or attributes of %d bytes, at most %d", own, maxTarText)
		}
		b := make([]byte, own)
		if err := t.read(b); err != nil {
			return nil, err
		}
		switch kind {
		case 'L':
			long = string(bytes.TrimRight(b, "\x00"))
		case 'x':
			if err := tarAttributes(b, &long, &size); err != nil {
				return nil, err
			}
		}
	}
}

// entry judges what a header says.
func (t *tarReader) entry(h []byte, kind byte, long string, size int64) (*tarEntry, error) {
	name := long
	if name == "" {
		name = untilZero(h[:100])
		if prefix := untilZero(h[345:500]); prefix != "" && string(h[257:263]) == "ustar\x00" {
			name = prefix + "/" + name
		}
	}
	field := "tar entry " + limits.Name(name)
	if what := tarLinks[kind]; what != "" {
		return nil, limits.Refuse(field, "is %s: only files and folders are read", what)
	}
	if kind != 0 && kind != '0' && kind != '5' && kind != '7' {
		return nil, limits.Refuse(field, "is of the unknown type %d", kind)
	}
	if name == "" || strings.HasPrefix(name, "/") || strings.ContainsAny(name, "\\\x00") || slices.Contains(strings.Split(name, "/"), "..") {
		return nil, limits.Refuse(field, "leads out of the archive, or is no name")
	}
	e := &tarEntry{name: path.Clean(name), folder: kind == '5' || strings.HasSuffix(name, "/"), size: size}
	if e.folder && size != 0 {
		return nil, limits.Refuse(field, "is a folder of %d bytes", size)
	}
	if size > t.budget.Left() {
		return nil, limits.Refuse(field, "has %d bytes, more than the archive can hold", size)
	}
	return e, nil
}

// read fills b with the next bytes of the entry.
func (t *tarReader) read(b []byte) error {
	if int64(len(b)) > t.left {
		return limits.Refuse("tar entry", "ends after %d of %d bytes", t.left, len(b))
	}
	t.left -= int64(len(b))
	return t.fill(b, "tar entry")
}

// fill reads len(b) bytes of the archive.
func (t *tarReader) fill(b []byte, field string) error {
	if err := t.spend(int64(len(b)), field); err != nil {
		return err
	}
	_, err := io.ReadFull(t.r, b)
	return t.explain(err, field)
}

func (t *tarReader) skip(n int64) error {
	if err := t.spend(n, "tar entry"); err != nil {
		return err
	}
	_, err := io.CopyN(io.Discard, t.r, n)
	return t.explain(err, "tar entry")
}

// spend refuses more bytes than a file holds, and those of a packed one that packs better than pictures do.
func (t *tarReader) spend(n int64, field string) error {
	if n > t.budget.Left() && !t.gzipped {
		return limits.Refuse(field, "is cut short")
	}
	return t.budget.Spend(n, "unpacked tar")
}

func (t *tarReader) explain(err error, field string) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, io.ErrUnexpectedEOF) && t.gzipped:
		return packed(err)
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return limits.Refuse(field, "is cut short")
	case t.gzipped:
		return packed(err)
	}
	return err
}

// end holds that nothing but zeros comes behind the first block of zeros, and that the checksum of what is around it is right.
func (t *tarReader) end() error {
	rest, err := io.ReadAll(io.LimitReader(t.r, maxTarTail+1))
	if err != nil {
		return t.explain(err, "tar end")
	}
	if len(rest) > maxTarTail || slices.ContainsFunc(rest, func(b byte) bool { return b != 0 }) {
		return limits.Refuse("tar end", "more comes behind the end of the archive")
	}
	return io.EOF
}

// tarSize is the size in a header whose checksum is right.
func tarSize(h []byte) (int64, error) {
	want, err := strconv.ParseInt(strings.Trim(string(h[148:156]), " \x00"), 8, 64)
	var sum int64
	for i, b := range h {
		if i >= 148 && i < 156 {
			b = ' '
		}
		sum += int64(b)
	}
	if err != nil || sum != want {
		return 0, limits.Refuse("tar header", "its checksum is wrong")
	}
	text := strings.Trim(string(h[124:136]), " \x00")
	if text == "" {
		return 0, nil
	}
	size, err := strconv.ParseUint(text, 8, 62)
	if err != nil {
		return 0, limits.Refuse("tar header", "its size %s is no octal number", limits.Name(text))
	}
	return int64(size), nil
}

// tarAttributes reads "LENGTH KEY=VALUE\n" records of POSIX, of which path and size count.
func tarAttributes(b []byte, name *string, size *int64) error {
	bad := limits.Refuse("tar entry", "its attributes are damaged")
	for len(b) > 0 {
		length, rest, found := bytes.Cut(b, []byte(" "))
		n, err := strconv.ParseUint(string(length), 10, 32)
		if !found || err != nil || int(n) > len(b) || int(n) <= len(length)+1 || b[n-1] != '\n' {
			return bad
		}
		record := rest[:int(n)-len(length)-2]
		key, value, found := strings.Cut(string(record), "=")
		if !found {
			return bad
		}
		switch key {
		case "path":
			*name = value
		case "size":
			v, err := strconv.ParseUint(value, 10, 62)
			if err != nil {
				return bad
			}
			*size = int64(v)
		}
		b = b[n:]
	}
	return nil
}

func untilZero(b []byte) string {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return string(b)
}
