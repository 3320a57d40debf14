package llama2c

import (
	"encoding/binary"
	"fmt"
	"io"

	"graft/onnx"
	"graft/onnx/limits"
)

// Header says how large a model is.
type Header struct {
	Width, Hidden, Layers, Heads, KVHeads, Vocabulary, Sequence int
	OwnClassifier                                               bool // lm_head is not the embedding
}

const (
	headerBytes = 28
	field       = "llama2.c header"
	most        = 1 << 20 // of any number of the header: products of three stay below 2^62
	mostLayers  = 4096
)

// Entry is a tensor of the file.
type Entry struct {
	Name   string
	Dims   []int64
	Offset int64
	heads  int // of rows that are reordered; 0: none are
}

// File is a file whose header has been held against its size. It is safe for concurrent use.
type File struct {
	Header
	name    string
	src     io.ReaderAt
	closer  io.Closer
	entries []Entry
	index   map[string]int
}

// Open opens the regular file at path. Refused input is a *limits.InputError.
func Open(path string) (*File, error) {
	src, size, err := limits.OpenRegular(path)
	if err != nil {
		return nil, err
	}
	f, err := NewFile(src, size, path)
	if err != nil {
		src.Close()
		return nil, err
	}
	f.closer = src
	return f, nil
}

// NewFile reads the header of the size bytes in src; name stands in errors.
func NewFile(src io.ReaderAt, size int64, name string) (*File, error) {
	head := make([]byte, min(max(size, 0), headerBytes))
	if err := limits.ReadAt(src, head, 0, field); err != nil {
		return nil, limits.InFile(name, err)
	}
	h, err := parse(head)
	if err != nil {
		return nil, limits.InFile(name, err)
	}
	if want := h.size(); want != size {
		return nil, limits.InFile(name, limits.Refuse(field, "%d bytes follow from it, the file has %d", want, size))
	}
	f := &File{Header: h, name: name, src: src, index: map[string]int{}}
	f.list()
	return f, nil
}

// Is reports whether a file of size bytes that begins with head is one of llama2.c's: its size follows from its header.
func Is(head []byte, size int64) bool {
	h, err := parse(head[:min(len(head), headerBytes)])
	return err == nil && h.size() == size
}

// HeaderBytes is how much of a file Is looks at.
const HeaderBytes = headerBytes

func parse(head []byte) (h Header, err error) {
	if len(head) < headerBytes {
		return h, limits.Refuse(field, "wants %d bytes, the file has %d", headerBytes, len(head))
	}
	for i, n := range []struct {
		name string
		to   *int
		most int
	}{{"width", &h.Width, most}, {"hidden width", &h.Hidden, most}, {"layers", &h.Layers, mostLayers}, {"heads", &h.Heads, most},
		{"key-value heads", &h.KVHeads, most}, {"vocabulary", &h.Vocabulary, most}, {"sequence", &h.Sequence, most}} {
		v := int64(int32(binary.LittleEndian.Uint32(head[4*i:])))
		if n.to == &h.Vocabulary && v < 0 {
			v, h.OwnClassifier = -v, true
		}
		if v < 1 || v > int64(n.most) {
			return h, limits.Refuse(field, "%s is %d, wants 1 to %d", n.name, v, n.most)
		}
		*n.to = int(v)
	}
	switch {
	case h.Width%h.Heads != 0 || h.Width/h.Heads%2 != 0:
		return h, limits.Refuse(field, "width %d is no even number for each of %d heads", h.Width, h.Heads)
	case h.Heads%h.KVHeads != 0:
		return h, limits.Refuse(field, "%d heads for %d key-value heads", h.Heads, h.KVHeads)
	}
	return h, nil
}

// matrices are those of one layer, in the file's order.
func (h Header) matrices() []Entry {
	d, hidden, kv := int64(h.Width), int64(h.Hidden), int64(h.Width/h.Heads*h.KVHeads)
	return []Entry{
		{Name: "input_layernorm", Dims: []int64{d}},
		{Name: "self_attn.q_proj", Dims: []int64{d, d}, heads: h.Heads},
		{Name: "self_attn.k_proj", Dims: []int64{kv, d}, heads: h.KVHeads},
		{Name: "self_attn.v_proj", Dims: []int64{kv, d}},
		{Name: "self_attn.o_proj", Dims: []int64{d, d}},
		{Name: "post_attention_layernorm", Dims: []int64{d}},
		{Name: "mlp.gate_proj", Dims: []int64{hidden, d}},
		{Name: "mlp.down_proj", Dims: []int64{d, hidden}},
		{Name: "mlp.up_proj", Dims: []int64{hidden, d}},
	}
}

func (e Entry) bytes() int64 {
	n := int64(4)
	for _, d := range e.Dims {
		n *= d
	}
	return n
}

// size is that of the file.
func (h Header) size() int64 {
	d, vocabulary := int64(h.Width), int64(h.Vocabulary)
	n := headerBytes + 4*vocabulary*d + 4*d + h.tables()
	for _, m := range h.matrices() {
		n += m.bytes() * int64(h.Layers)
	}
	if h.OwnClassifier {
		n += 4 * vocabulary * d
	}
	return n
}

// tables is the size of the cosines and sines, which follow from the header.
func (h Header) tables() int64 { return 4 * int64(h.Sequence) * int64(h.Width/h.Heads) }

// list makes the entries.
func (f *File) list() {
	at := int64(headerBytes)
	d, vocabulary := int64(f.Width), int64(f.Vocabulary)
	f.add("model.embed_tokens.weight", &at, 0, vocabulary, d)
	for _, m := range f.matrices() {
		for layer := range f.Layers {
			f.add(fmt.Sprintf("model.layers.%d.%s.weight", layer, m.Name), &at, m.heads, m.Dims...)
		}
	}
	f.add("model.norm.weight", &at, 0, d)
	at += f.tables()
	if f.OwnClassifier {
		f.add("lm_head.weight", &at, 0, vocabulary, d)
	}
}

func (f *File) add(name string, at *int64, heads int, dims ...int64) {
	e := Entry{Name: name, Dims: dims, Offset: *at, heads: heads}
	f.index[name] = len(f.entries)
	f.entries = append(f.entries, e)
	*at += e.bytes()
}

// Entries are the tensors in the file's order. The slice is the file's own.
func (f *File) Entries() []Entry { return f.entries }

// Close closes the underlying file when Open opened it.
func (f *File) Close() error {
	if f.closer == nil {
		return nil
	}
	return f.closer.Close()
}

// Tensor reads one tensor.
func (f *File) Tensor(name string) (*onnx.Tensor, error) {
	i, ok := f.index[name]
	if !ok {
		return nil, limits.InFile(f.name, limits.Refuse("", "no tensor %s", limits.Name(name)))
	}
	e := f.entries[i]
	t := onnx.NewTensor(onnx.Float, e.Dims...)
	t.Name = name
	if err := limits.ReadAt(f.src, t.Data, e.Offset, "tensor "+name); err != nil {
		return nil, limits.InFile(f.name, err)
	}
	if e.heads > 0 {
		t.Data = halves(t.Data, e.heads, int(e.Dims[0])/e.heads, int(e.Dims[1])*4)
	}
	return t, nil
}

// halves puts the even rows of each head in front of its odd ones.
func halves(data []byte, heads, size, row int) []byte {
	out := make([]byte, 0, len(data))
	for h := range heads {
		for odd := range 2 {
			for i := odd; i < size; i += 2 {
				at := (h*size + i) * row
				out = append(out, data[at:at+row]...)
			}
		}
	}
	return out
}
