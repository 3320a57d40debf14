package dataset

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"graft/onnx"
	"graft/onnx/limits"
)

const (
	cifarPixels = 3 * 32 * 32
	cifarRecord = 1 + cifarPixels // the label, and planes of red, green and blue
	// cifarFileBytes is the most that one file of CIFAR-10 may have; its own have 30,730,000.
	cifarFileBytes = 1 << 28
)

// cifarClasses are the classes of CIFAR-10 in their order.
var cifarClasses = []string{"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"}

// cifarPart tells the files of CIFAR-10's binary version by their names: data_batch_1.bin and so on, and test_batch.bin.
func cifarPart(name string) (test, ok bool) {
	name = strings.ToLower(name)
	if name == "test_batch.bin" {
		return true, true
	}
	number, found := strings.CutPrefix(name, "data_batch_")
	return false, found && strings.HasSuffix(number, ".bin")
}

// cifarFiles are the files of a part as they are read.
type cifarFiles struct {
	names []string
	data  [][]byte
}

// add takes a file.
func (f *cifarFiles) add(name string, data []byte) error {
	field := ""
	if len(data) == 0 || len(data)%cifarRecord != 0 {
		return limits.Refuse(field, "%s: %d bytes are no whole number of pictures of CIFAR-10, which take %d", limits.Name(name), len(data), cifarRecord)
	}
	for i := 0; i < len(data); i += cifarRecord {
		if int(data[i]) >= len(cifarClasses) {
			return limits.Refuse(field, "%s: picture %d has label %d, there are 0 to %d", limits.Name(name), i/cifarRecord, data[i], len(cifarClasses)-1)
		}
	}
	f.names, f.data = append(f.names, name), append(f.data, data)
	return nil
}

// table puts the files together, in the order of their names.
func (f *cifarFiles) table(c ReadConfig) (*Table, error) {
	if len(f.names) == 0 {
		return nil, limits.Refuse("", "holds neither pictures in folders nor files of CIFAR-10 for this part")
	}
	order := make([]int, len(f.names))
	n := 0
	for i, d := range f.data {
		order[i] = i
		n += len(d) / cifarRecord
	}
	slices.SortFunc(order, func(a, b int) int { return strings.Compare(f.names[a], f.names[b]) })
	pixels, words := make([]byte, 0, n*cifarPixels), make([]string, 0, n)
	for _, i := range order {
		for d := f.data[i]; len(d) > 0; d = d[cifarRecord:] {
			words, pixels = append(words, cifarClasses[d[0]]), append(pixels, d[1:cifarRecord]...)
		}
		f.data[i] = nil
	}
	known := cifarClasses
	if c.Classes != nil {
		known = c.Classes
	}
	labels, classes, err := classNumbers(words, known)
	if err != nil {
		return nil, err
	}
	return byteTable(pixels, labels, classes, []int64{3, 32, 32}, c)
}

// byteTable are pictures that are stored as bytes, and their labels.
func byteTable(pixels []byte, labels []int64, classes []string, dims []int64, c ReadConfig) (*Table, error) {
	pictures, err := newByteRows(pixels, int64(len(labels)), dims, c.Normalize)
	if err != nil {
		return nil, err
	}
	answers, err := TensorRows(onnx.FromSlice(labels))
	if err != nil {
		return nil, err
	}
	return &Table{Columns: []Column{{Kind: Samples, Rows: pictures}, {Kind: Answers, Rows: answers}}, Classes: classes}, nil
}

// cifarPaths are the files of a part in a folder, or the file itself.
func cifarPaths(f *source, test bool) (paths []string) {
	if !f.folder {
		if _, ok := cifarPart(filepath.Base(f.path)); ok {
			paths = append(paths, f.path)
		}
		return paths
	}
	entries, err := os.ReadDir(f.path)
	if err != nil {
		return nil
	}
	for _, e := range entries {
		if forTest, ok := cifarPart(e.Name()); ok && forTest == test {
			paths = append(paths, filepath.Join(f.path, e.Name()))
		}
	}
	return paths
}

func isCIFAR(f *source) bool { return len(cifarPaths(f, false)) > 0 || len(cifarPaths(f, true)) > 0 }

func readCIFAR(f *source, c ReadConfig) (*Table, error) {
	paths := cifarPaths(f, c.Test)
	if len(paths) == 0 {
		return nil, limits.Refuse("", "has no file of this part: data_batch_1.bin for training, test_batch.bin for testing")
	}
	files := &cifarFiles{}
	for _, path := range paths {
		file, err := openSource(path)
		if err != nil {
			return nil, err
		}
		defer file.close()
		if file.size > cifarFileBytes || file.gzipped {
			return nil, limits.InFile(path, limits.Refuse("", "is no file of CIFAR-10: %s", fmt.Sprintf("%d bytes, at most %d", file.size, cifarFileBytes)))
		}
		data := make([]byte, file.size)
		if err := limits.ReadAt(file.file, data, 0, ""); err != nil {
			return nil, limits.InFile(path, err)
		}
		if err := files.add(filepath.Base(path), data); err != nil {
			return nil, err
		}
	}
	return files.table(c)
}
