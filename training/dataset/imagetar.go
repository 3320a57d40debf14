package dataset

import (
	"cmp"
	"errors"
	"io"
	"path"
	"slices"
	"strings"

	"graft/onnx"
	"graft/onnx/limits"
)

// maxTarPicture is the largest file of a picture in an archive, maxTarPictures what all may take.
const (
	maxTarPicture  = 64 << 20
	maxTarPictures = 2 << 30
)

// tarred are the files of a data set in an archive.
type tarred struct {
	archive  string
	parts    map[string][]tarPicture // by the folder that the classes lie in, where that names a part; "" for others
	classes  map[string][]string     // folders of the archive that may be classes, by part
	skipped  bool                    // pictures of the other part were met
	data     []byte                  // the files, one behind the other
	pictures int
	cifar    cifarFiles
}

// tarPicture is a picture as it is stored: its bytes are data[from:to].
type tarPicture struct {
	name, class string
	from, to    int
}

// readTar reads the pictures of an image folder, or the files of CIFAR-10, out of an archive. The files are kept as they are
// stored and decoded when they are wanted.
func readTar(f *source, c ReadConfig) (*Table, error) {
	r, err := newTarReader(f)
	if err != nil {
		return nil, err
	}
	t := &tarred{archive: f.path, parts: map[string][]tarPicture{}, classes: map[string][]string{}}
	for {
		e, err := r.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = t.take(r, e, c.Test)
		}
		if err != nil {
			return nil, err
		}
	}
	if t.pictures == 0 && !t.skipped {
		return t.cifar.table(c)
	}
	return t.table(c)
}

// take reads an entry when it belongs to the part that is wanted.
func (t *tarred) take(r *tarReader, e *tarEntry, test bool) error {
	parts := strings.Split(e.name, "/")
	base := parts[len(parts)-1]
	part := func(level int) string { // the part that the folder at a level from behind names
		if len(parts) < level {
			return ""
		}
		name := strings.ToLower(parts[len(parts)-level])
		if slices.Contains(folderParts[true], name) || slices.Contains(folderParts[false], name) {
			return name
		}
		return ""
	}
	if e.folder {
		if p := part(2); p != "" && !strings.HasPrefix(base, ".") {
			t.classes[p] = append(t.classes[p], base)
		}
		return nil
	}
	if forTest, ok := cifarPart(base); ok {
		if forTest != test {
			return nil
		}
		data, err := t.read(r, e, cifarFileBytes)
		if err == nil {
			err = t.cifar.add(base, data)
		}
		return err
	}
	if strings.HasPrefix(base, ".") || !slices.Contains(pictureEndings, strings.ToLower(path.Ext(base))) {
		return nil
	}
	field := "tar entry " + limits.Name(e.name)
	if len(parts) < 2 {
		return limits.Refuse(field, "lies in no folder: the folder of a picture is its class")
	}
	of := part(3)
	if of != "" && !slices.Contains(folderParts[test], of) {
		t.skipped = true
		return nil
	}
	if t.pictures++; t.pictures > maxPictures {
		return limits.Refuse("", "more than %d pictures", maxPictures)
	}
	if int64(len(t.data))+e.size > maxTarPictures {
		return limits.Refuse(field, "the pictures take more than %d MiB", maxTarPictures>>20).WithHint("unpack the archive: a folder is read picture by picture")
	}
	data, err := t.read(r, e, maxTarPicture)
	if err != nil {
		return err
	}
	from := len(t.data)
	t.data = append(t.data, data...)
	t.parts[of] = append(t.parts[of], tarPicture{e.name, parts[len(parts)-2], from, len(t.data)})
	return nil
}

// read reads an entry's bytes; those of a picture only when its first ones are a picture's.
func (t *tarred) read(r *tarReader, e *tarEntry, most int64) ([]byte, error) {
	field := "tar entry " + limits.Name(e.name)
	if e.size > most {
		return nil, limits.Refuse(field, "has %d bytes, at most %d", e.size, most)
	}
	head := make([]byte, min(e.size, sniffLen))
	if err := r.read(head); err != nil {
		return nil, err
	}
	if _, ok := sniff(head); most == maxTarPicture && !ok {
		return nil, limits.Refuse(field, "is no picture").WithHint("%s", formatsHint)
	}
	data := append(make([]byte, 0, e.size), head...)
	if err := r.read(data[len(head):e.size]); err != nil {
		return nil, err
	}
	return data[:e.size], nil
}

// table is the part that is wanted: the first by the names there are for it, or what lies in no part.
func (t *tarred) table(c ReadConfig) (*Table, error) {
	of := ""
	for _, name := range slices.Backward(folderParts[c.Test]) {
		if len(t.parts[name]) > 0 {
			of = name
		}
	}
	chosen := t.parts[of]
	if len(chosen) == 0 {
		return nil, limits.Refuse("", "has no pictures below a folder %s", strings.Join(folderParts[c.Test], ", "))
	}
	slices.SortFunc(chosen, func(a, b tarPicture) int { return cmp.Or(cmp.Compare(a.class, b.class), cmp.Compare(a.name, b.name)) })
	words := make([]string, len(chosen))
	for i, p := range chosen {
		words[i] = p.class
		if i > 0 && p.name == chosen[i-1].name {
			return nil, limits.Refuse("tar entry "+limits.Name(p.name), "is there twice")
		}
	}
	for _, class := range t.classes[of] {
		if !slices.Contains(words, class) {
			return nil, limits.Refuse("tar entry "+limits.Name(class), "the folder of a class holds no picture (%s)", strings.Join(pictureEndings, ", "))
		}
	}
	labels, classes, err := classNumbers(words, c.Classes)
	if err != nil {
		return nil, err
	}
	files := &pictures{count: len(chosen), decode: func(i int) (*Image, error) {
		m, refusal := decodeImage(t.data[chosen[i].from:chosen[i].to], 1)
		if refusal != nil {
			refusal.Field = "tar entry " + limits.Name(chosen[i].name)
			return nil, limits.InFile(t.archive, refusal)
		}
		return m, nil
	}}
	if err := files.prepare(c); err != nil {
		return nil, err
	}
	rows, err := TensorRows(onnx.FromSlice(labels))
	if err != nil {
		return nil, err
	}
	return &Table{Columns: []Column{{Kind: Samples, Rows: files}, {Kind: Answers, Rows: rows}}, Classes: classes}, nil
}
