package onnx

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"graft/onnx/internal/onnxpb"
	"graft/onnx/limits"
)

// source is the file that a model was read from.
type source struct {
	path      string
	options   LoadOptions
	files     []string // in which it keeps weights, absolute
	locations []string // the same, as it names them
}

// copyOf gives the file that m was read from, open, when it is what m is to be saved as: it still says what m says, with the
// weights where o wants them. It is nil otherwise.
func (m *Model) copyOf(path string, o SaveOptions) (file *os.File, size int64) {
	s := m.source
	outside := func(location string) bool { return !filepath.IsLocal(filepath.FromSlash(location)) }
	if s != nil && slices.ContainsFunc(s.locations, outside) { // allowed to be read there, not to be asked for again
		return nil, 0
	}
	if s == nil || o.Weights != Inline && o.Weights != Stay || len(s.files) > 0 && (o.Weights != Stay || !sameFolder(s.path, path)) {
		return nil, 0
	}
	file, size, err := limits.OpenRegular(s.path)
	if err != nil {
		return nil, 0
	}
	info, err := file.Stat()
	if err == nil && size <= maxFileBytes {
		var now *Model
		if now, err = s.options.decode(s.path, file, info, size); err == nil {
			same := sameContent(m, now)
			for _, used := range now.mappings {
				used.release()
			}
			if same {
				return file, size
			}
		}
	}
	file.Close()
	return nil, 0
}

func sameFolder(a, b string) bool {
	x, err := os.Stat(filepath.Dir(a))
	if err != nil {
		return false
	}
	y, err := os.Stat(filepath.Dir(b))
	return err == nil && os.SameFile(x, y)
}

// sameContent reports whether two models would be written alike. Weights that still are a file's are not read.
func sameContent(a, b *Model) bool {
	var files []os.FileInfo
	x, ok := fingerprint(a, &files)
	if !ok {
		return false
	}
	y, ok := fingerprint(b, &files)
	return ok && x == y
}

// fingerprint is a hash of what m would be written as, a key in place of each large weight: its place in a file, or its hash.
func fingerprint(m *Model, files *[]os.FileInfo) (sum [sha256.Size]byte, ok bool) {
	encoded, err := m.encoding(func(pb *onnxpb.TensorProto, _ bool) {
		if len(pb.RawData) < largeData {
			return
		}
		if from, offset := stored(pb.RawData); from != nil {
			pb.RawData = fmt.Appendf(nil, "%d %d %d", fileNumber(from.info, files), offset, len(pb.RawData))
			return
		}
		content := sha256.Sum256(pb.RawData)
		pb.RawData = content[:]
	})
	if err != nil {
		return sum, false
	}
	h := sha256.New()
	if err := encoded.write(h); err != nil {
		return sum, false
	}
	return [sha256.Size]byte(h.Sum(nil)), true
}

// fileNumber is the place of a file in a list, at the end of which it is put when it is not there.
func fileNumber(info os.FileInfo, files *[]os.FileInfo) int {
	for i, f := range *files {
		if os.SameFile(f, info) && f.ModTime().Equal(info.ModTime()) && f.Size() == info.Size() {
			return i
		}
	}
	*files = append(*files, info)
	return len(*files) - 1
}
