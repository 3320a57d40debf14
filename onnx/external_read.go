package onnx

import (
	"crypto/sha1"
	"encoding/hex"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"graft/onnx/internal/onnxpb"
	"graft/onnx/limits"
)

// externalReader brings in the tensors of a model that are stored in other files.
type externalReader struct {
	folders folders
	model   os.FileInfo // the model's own file, which holds no weights
	limit   int64       // bytes of all tensors together
	files   map[string]*externalFile
	told    func(location string, offset, length int64) // of each tensor; may be nil
}

// externalFile is a data file while a model is read.
type externalFile struct {
	*os.File
	size    int64
	left    int64 // bytes that no tensor has claimed: many tensors may not share a few bytes
	sha1    string
	regions map[region][]byte
	mapping *mapping
	tried   bool // to map it
	used    bool // a tensor lies in the mapping
}

// mostFiles is how many data files a model may have.
const mostFiles = 1000

type region struct{ offset, length int64 }

// close closes the files, and gives the mappings that tensors of m lie in; m is nil when no model was read.
func (r *externalReader) close(m *Model) (used []*mapping) {
	for _, f := range r.files {
		if m == nil || !f.used {
			f.mapping.release()
		} else {
			used = append(used, f.mapping)
		}
		f.Close()
	}
	return used
}

// names are the data files' absolute paths, and their locations, in the order of the locations.
func (r *externalReader) names() (paths, locations []string) {
	for _, location := range slices.Sorted(maps.Keys(r.files)) {
		path, err := filepath.Abs(r.files[location].Name())
		if err != nil {
			path = r.files[location].Name()
		}
		paths, locations = append(paths, path), append(locations, location)
	}
	return paths, locations
}

// resolve reads the data of every external tensor of pb into raw_data.
func (r *externalReader) resolve(pb *onnxpb.ModelProto) error {
	return tensors(pb, func(t *onnxpb.TensorProto, where string) error {
		if !isExternal(t) {
			return nil
		}
		p := externalField(t, where)
		d, err := parseExternal(t, p)
		if err != nil {
			return err
		}
		if t.RawData, err = r.read(d, p); err != nil {
			return err
		}
		if r.told != nil {
			r.told(d.location, d.offset, d.length)
		}
		t.DataLocation, t.ExternalData = nil, nil
		return nil
	})
}

func (r *externalReader) read(d *externalData, p place) ([]byte, error) {
	f, err := r.file(d.location, p)
	if err != nil {
		return nil, err
	}
	if d.checksum != "" {
		if err := f.verify(d.checksum, p); err != nil {
			return nil, err
		}
	}
	if d.offset > f.size || d.length > f.size-d.offset {
		return nil, p.refuse("its data are bytes %d to %d of %s, which has %d", d.offset, d.offset+d.length, limits.Name(d.location), f.size)
	}
	key := region{d.offset, d.length}
	if data, ok := f.regions[key]; ok {
		return data, nil
	}
	if d.length > f.left {
		return nil, p.refuse("tensors overlap in %s: together they are larger than its %d bytes", limits.Name(d.location), f.size)
	}
	if d.length > r.limit {
		return nil, p.refuse("the model's weights take more than %d bytes", r.limit)
	}
	f.left -= d.length
	r.limit -= d.length
	data, err := f.data(d)
	if err != nil {
		return nil, p.refuse("its data file %s cannot be read: %v", limits.Name(d.location), reason(err))
	}
	f.regions[key] = data
	return data, nil
}

// data is a part of the file: its mapped memory, or memory that it is read into.
func (f *externalFile) data(d *externalData) ([]byte, error) {
	if !f.tried {
		f.tried = true
		if f.mapping = mapFile(f.File, f.size); f.mapping != nil {
			f.mapping.path, _ = filepath.Abs(f.Name())
		}
	}
	if f.mapping != nil && d.length > 0 {
		f.used = true
		if d.checksum != "" {
			f.mapping.sha1 = d.checksum
		}
		return f.mapping.data[d.offset : d.offset+d.length : d.offset+d.length], nil
	}
	data := alignedBytes(d.length)
	_, err := io.ReadFull(io.NewSectionReader(f, d.offset, d.length), data)
	return data, err
}

// file opens a data file, once.
func (r *externalReader) file(location string, p place) (*externalFile, error) {
	if f, ok := r.files[location]; ok {
		return f, nil
	}
	if len(r.files) >= mostFiles {
		return nil, p.refuse("the model's weights are in more than %d files", mostFiles)
	}
	file, size, err := r.folders.open(location, p)
	if err != nil {
		return nil, err
	}
	f := &externalFile{File: file, size: size, left: size, regions: map[region][]byte{}}
	r.files[location] = f
	if info, err := file.Stat(); err == nil && os.SameFile(info, r.model) {
		return nil, p.refuse("its data file %s is the model itself", limits.Name(location))
	}
	return f, nil
}

// verify compares the SHA-1 of the whole file.
func (f *externalFile) verify(want string, p place) error {
	if f.sha1 == "" {
		h := sha1.New()
		if _, err := io.Copy(h, io.NewSectionReader(f, 0, f.size)); err != nil {
			return p.refuse("its data file cannot be read: %v", reason(err))
		}
		f.sha1 = hex.EncodeToString(h.Sum(nil))
	}
	if f.sha1 != want {
		return p.refuse("its data file has SHA-1 %s, the model says %s: the file is damaged or another's", f.sha1, want)
	}
	return nil
}
