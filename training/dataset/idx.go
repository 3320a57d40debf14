package dataset

import (
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"graft/onnx"
	"graft/onnx/limits"
)

// idxTypes are the element types of the IDX format, by its code.
var idxTypes = map[byte]onnx.DataType{
	0x08: onnx.Uint8, 0x09: onnx.Int8, 0x0b: onnx.Int16, 0x0c: onnx.Int32, 0x0d: onnx.Float, 0x0e: onnx.Double,
}

const maxIDXRank = 8

// isIDX knows the magic number: two zeros, a type and a rank.
func isIDX(f *source) bool {
	if f.folder || len(f.head) < 4 || f.head[0] != 0 || f.head[1] != 0 {
		return false
	}
	return idxTypes[f.head[2]] != onnx.Undefined && f.head[3] >= 1 && f.head[3] <= maxIDXRank
}

// readIDX reads one file: an array of one axis holds labels, one of more holds samples, bytes being pictures.
func readIDX(f *source, c ReadConfig) (*Table, error) {
	t, err := idxTensor(f)
	if err != nil {
		return nil, err
	}
	column := Column{Kind: Samples}
	switch {
	case len(t.Dims) == 1:
		column.Kind = Answers
		column.Rows, err = TensorRows(t)
	case t.DType == onnx.Uint8:
		column.Rows, err = newByteRows(t.Data, t.Dims[0], t.Dims[1:], c.Normalize)
	default:
		column.Rows, err = TensorRows(t)
	}
	return &Table{Columns: []Column{column}}, err
}

// idxTensor reads the array, whose size must be the file's.
func idxTensor(f *source) (*onnx.Tensor, error) {
	r, err := f.plain()
	if err != nil {
		return nil, err
	}
	dtype, rank := idxTypes[f.head[2]], int(f.head[3])
	header := make([]byte, 4+4*rank)
	if err := readPart(f, r, header, "idx header"); err != nil {
		return nil, err
	}
	dims := make([]int64, rank)
	for i := range dims {
		dims[i] = int64(binary.BigEndian.Uint32(header[4+4*i:]))
	}
	n, ok := limits.Bytes(dims, dtype.Bits())
	switch there := f.size - int64(len(header)); {
	case !ok || f.gzipped && n > f.most():
		return nil, limits.Refuse("idx dims", "%v of %v ask for more than a file of %d bytes holds", dims, dtype, f.size)
	case !f.gzipped && n != there:
		return nil, limits.Refuse("idx data", "%v of %v takes %d bytes, %d are there", dims, dtype, n, there)
	}
	t := onnx.NewTensor(dtype, dims...)
	if err := readPart(f, r, t.Data, "idx data"); err != nil {
		return nil, err
	}
	if n, err := r.Read(make([]byte, 1)); n != 0 || err == nil {
		return nil, limits.Refuse("idx data", "there is more behind the %d bytes of %v", len(t.Data), dims)
	} else if !errors.Is(err, io.EOF) {
		return nil, packed(err)
	}
	if width := dtype.Bits() / 8; width > 1 {
		for i := 0; i < len(t.Data); i += width {
			slices.Reverse(t.Data[i : i+width])
		}
	}
	return t, nil
}

// readPart fills b.
func readPart(f *source, r io.Reader, b []byte, field string) error {
	n, err := io.ReadFull(r, b)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return limits.Refuse(field, "ends after %d of %d bytes", n, len(b))
	case f.gzipped:
		return packed(err)
	}
	return err
}

// idxParts are how the files of the two parts of a data set begin.
var idxParts = map[bool][]string{false: {"train-"}, true: {"t10k-", "test-"}}

// idxFiles finds the files of images and labels of a part of a folder.
func idxFiles(folder string, test bool) (images, labels string) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return "", ""
	}
	for _, e := range entries {
		name := strings.ToLower(e.Name())
		if !slices.ContainsFunc(idxParts[test], func(p string) bool { return strings.HasPrefix(name, p) }) {
			continue
		}
		switch {
		case strings.Contains(name, "images") && strings.Contains(name, "idx"):
			images = filepath.Join(folder, e.Name())
		case strings.Contains(name, "labels") && strings.Contains(name, "idx"):
			labels = filepath.Join(folder, e.Name())
		}
	}
	return images, labels
}

func isIDXFolder(f *source) bool {
	if !f.folder {
		return false
	}
	images, labels := idxFiles(f.path, false)
	return images != "" && labels != ""
}

func readIDXFolder(f *source, c ReadConfig) (*Table, error) {
	images, labels := idxFiles(f.path, c.Test)
	if images == "" || labels == "" {
		return nil, limits.Refuse("", "has no files of images and labels for testing: t10k-images... and t10k-labels...")
	}
	t := &Table{}
	for _, path := range []string{images, labels} {
		file, err := openSource(path)
		if err != nil {
			return nil, err
		}
		defer file.close()
		if !isIDX(file) {
			return nil, limits.InFile(path, limits.Refuse("", "is no IDX file"))
		}
		part, err := readIDX(file, c)
		if err != nil {
			return nil, limits.InFile(path, err)
		}
		t.Columns = append(t.Columns, part.Columns...)
	}
	return t, nil
}
