package onnx

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"unsafe"

	"google.golang.org/protobuf/proto"

	"graft/onnx/internal/onnxpb"
)

// layout gives tensors their places in data files.
type layout struct {
	SaveOptions
	path       string
	everything bool // tensors of attributes go into files too
	files      []*dataFile
	placed     map[*byte]placedData
	locations  map[*mapping]string // of mapped data files, as locationOf has found them
	stayed     map[string]bool     // locations of files in which a tensor stays
	stayBytes  int64
	own        bool     // the model is saved over the one that it was read from
	others     []string // data files that the model was read from, absolute
	full       bool     // offsets do not fit
	forced     bool     // nothing else fits into a file
}

// dataFile is a file of weights that is to be written.
type dataFile struct {
	location string
	chunks   []chunk
	size     int64
}

// chunk is a tensor's data and its place in the data file.
type chunk struct {
	offset int64
	data   []byte
}

// placedData is where data of some length went: tensors that share memory share it in the file too.
type placedData struct {
	file           *dataFile
	offset, length int64
}

// layOut makes the messages of m and says which files hold the weights. What is too large for a file of its own has its
// initializers beside it, and when it still is, the tensors of attributes too.
func (m *Model) layOut(path string, o SaveOptions) (*layout, *encoding, error) {
	for try := 0; ; try++ {
		l := &layout{SaveOptions: o, path: path, everything: try > 1, placed: map[*byte]placedData{}, locations: map[*mapping]string{},
			stayed: map[string]bool{}, forced: try > 0}
		if m.source != nil {
			l.own, l.others = sameTarget(m.source.path, path), m.source.files
		}
		put := l.Weights
		if put == Stay {
			put = l.Others
		}
		if try > 0 && put == Inline {
			put = OneFile
		}
		l.Others = put
		beside := put == OneFile || put == FileEach
		encoded, err := m.encoding(func(pb *onnxpb.TensorProto, initializer bool) {
			if !l.stay(pb) && beside && (initializer || l.everything) && int64(len(pb.RawData)) >= l.Smallest {
				l.put(pb)
			}
		})
		var large *TooLargeError
		switch {
		case l.full:
			return nil, nil, fmt.Errorf("encode model: the weights take more than %d bytes", int64(math.MaxInt64))
		case err == nil:
			return l, encoded, nil
		case try == 2 || !errors.As(err, &large):
			return nil, nil, err
		}
	}
}

// stays are the locations of files in which weights stay, sorted.
func (l *layout) stays() []string { return slices.Sorted(maps.Keys(l.stayed)) }

// sameTarget reports whether two paths are of one file, links not followed.
func sameTarget(a, b string) bool {
	x, err := os.Lstat(a)
	if err != nil {
		return false
	}
	y, err := os.Lstat(b)
	return err == nil && os.SameFile(x, y)
}

// stay lets the data of a tensor be where it is, if it may.
func (l *layout) stay(pb *onnxpb.TensorProto) bool {
	if l.Weights != Stay {
		return false
	}
	m, offset := mappingOf(pb.RawData)
	if m == nil {
		return false
	}
	location, known := l.locations[m]
	if !known {
		location = l.locationOf(m)
		l.locations[m] = location
	}
	if location == "" || written(pb.RawData) {
		return false
	}
	l.stayed[location] = true
	l.stayBytes += int64(len(pb.RawData))
	refer(pb, location, offset, m.sha1)
	return true
}

// locationOf is the location of a mapped data file for a model at the layout's path; empty when such a model could not refer to
// it, or the file is not there any more.
func (l *layout) locationOf(m *mapping) string {
	if m.path == "" {
		return ""
	}
	folder, err := filepath.Abs(filepath.Dir(l.path))
	if err != nil {
		return ""
	}
	location, err := filepath.Rel(folder, m.path)
	if err != nil || !filepath.IsLocal(location) || badLocation(filepath.ToSlash(location)) != "" {
		return ""
	}
	info, err := os.Lstat(m.path)
	if err != nil || !os.SameFile(info, m.info) || info.Size() != m.info.Size() || !info.ModTime().Equal(m.info.ModTime()) {
		return ""
	}
	return filepath.ToSlash(location)
}

// put gives the data of a tensor a place in a file that is to be written.
func (l *layout) put(pb *onnxpb.TensorProto) {
	data := pb.RawData
	size := int64(len(data))
	if p, ok := l.placed[unsafe.SliceData(data)]; ok && p.length == size {
		refer(pb, p.file.location, p.offset, "")
		return
	}
	f := l.file()
	offset := (f.size + l.Alignment - 1) &^ (l.Alignment - 1)
	if f.size > math.MaxInt64-l.Alignment || offset > math.MaxInt64-size {
		l.full = true
		return
	}
	f.chunks = append(f.chunks, chunk{offset, data})
	f.size = offset + size
	l.placed[unsafe.SliceData(data)] = placedData{f, offset, size}
	refer(pb, f.location, offset, "")
}

// file is the file for the next tensor. It is called as the model, with a number behind where a file is in the way that the
// model was read from, unless the model itself is saved over.
func (l *layout) file() *dataFile {
	if n := len(l.files); n > 0 && (l.Others != FileEach || n == mostFiles) {
		return l.files[n-1]
	}
	base := filepath.Base(l.path) + "_data"
	if l.Others == FileEach {
		base += "." + strconv.Itoa(len(l.files))
	}
	location := base
	for i := 1; l.occupied(location); i++ {
		location = base + "_" + strconv.Itoa(i)
	}
	l.files = append(l.files, &dataFile{location: location})
	return l.files[len(l.files)-1]
}

// occupied reports whether weights were read from a file at a location, which is not to be written to: it may be another
// model's too.
func (l *layout) occupied(location string) bool {
	info, err := os.Lstat(filepath.Join(filepath.Dir(l.path), location))
	if err != nil {
		return false
	}
	is := func(path string) bool {
		other, err := os.Lstat(path)
		return err == nil && os.SameFile(info, other)
	}
	if slices.ContainsFunc(l.others, is) {
		return !l.own || l.Weights == Stay
	}
	mappings.RLock()
	defer mappings.RUnlock()
	return slices.ContainsFunc(mappings.list, func(m *mapping) bool { return m.path != "" && os.SameFile(info, m.info) })
}

// refer makes a tensor one whose data is in another file.
func refer(pb *onnxpb.TensorProto, location string, offset int64, sha1 string) {
	entries := [][2]string{{"location", location}, {"offset", strconv.FormatInt(offset, 10)}, {"length", strconv.Itoa(len(pb.RawData))}}
	if sha1 != "" {
		entries = append(entries, [2]string{"checksum", sha1})
	}
	pb.ExternalData = nil
	for _, e := range entries {
		pb.ExternalData = append(pb.ExternalData, &onnxpb.StringStringEntryProto{Key: proto.String(e[0]), Value: proto.String(e[1])})
	}
	pb.RawData, pb.DataLocation = nil, onnxpb.TensorProto_EXTERNAL.Enum()
}

// write writes the chunks in order, zeros between.
func (f *dataFile) write(w io.Writer) error {
	var zeros [4 << 10]byte
	var at int64
	for _, c := range f.chunks {
		for at < c.offset {
			n, err := w.Write(zeros[:min(c.offset-at, int64(len(zeros)))])
			if err != nil {
				return err
			}
			at += int64(n)
		}
		if err := putData(w, c.data); err != nil {
			return err
		}
		at += int64(len(c.data))
	}
	return nil
}
