package gguf

import (
	"math"
	"unicode"
	"unicode/utf8"

	"graft/onnx/limits"
)

const (
	minKey     = 8 + 4 + 1 // length of the name, type, the smallest value
	maxName    = 4096      // bytes of a key's or a tensor's name
	maxStrings = 4_000_000 // strings in all arrays of a file
	maxString  = 64 << 20  // bytes of one string
	maxAlign   = 1 << 20
)

// Key is one line of metadata. Value is uint8, int8, uint16, int16, uint32, int32, float32, bool, string, uint64, int64,
// float64, or a slice of one of them.
type Key struct {
	Name  string
	Value any
}

// Keys are the metadata in the order of the file. The slice is the file's own.
func (f *File) Keys() []Key { return f.keys }

// Value is the metadata under a key.
func (f *File) Value(key string) (any, bool) {
	i, ok := f.keyIndex[key]
	if !ok {
		return nil, false
	}
	return f.keys[i].Value, true
}

// String is the text under a key; ok is false where there is none or it is no text.
func (f *File) String(key string) (text string, ok bool) {
	v, _ := f.Value(key)
	text, ok = v.(string)
	return text, ok
}

// metadata is what reading metadata may still spend.
type metadata struct {
	r       *limits.Reader
	strings *limits.Budget
}

func (f *File) readKeys(r *limits.Reader, n int) error {
	m := &metadata{r: r, strings: limits.NewBudget("strings in arrays", maxStrings)}
	f.keyIndex = map[string]int{}
	for range n {
		name, err := m.name("metadata key")
		if err != nil {
			return err
		}
		field := "metadata " + limits.Name(name)
		if _, twice := f.keyIndex[name]; twice {
			return limits.Refuse(field, "key twice")
		}
		kind, err := r.U32(field)
		if err != nil {
			return err
		}
		value, err := m.value(kind, field)
		if err != nil {
			return err
		}
		f.keyIndex[name] = len(f.keys)
		f.keys = append(f.keys, Key{name, value})
	}
	return f.checkKeys()
}

// checkKeys checks the metadata that the file itself is read by, and that the columns of a vocabulary are of one length.
func (f *File) checkKeys() error {
	if v, ok := f.Value("general.alignment"); ok {
		n, ok := v.(uint32)
		if !ok {
			return limits.Refuse(`metadata "general.alignment"`, "is %T, wants uint32", v)
		}
		if n == 0 || n&(n-1) != 0 || n > maxAlign {
			return limits.Refuse(`metadata "general.alignment"`, "%d, wants a power of two up to %d", n, maxAlign)
		}
		f.Alignment = int64(n)
	}
	tokens, ok := f.Value("tokenizer.ggml.tokens")
	if !ok {
		return nil
	}
	for _, column := range []string{"tokenizer.ggml.scores", "tokenizer.ggml.token_type"} {
		if v, ok := f.Value(column); ok && length(v) != length(tokens) {
			return limits.Refuse("metadata "+limits.Name(column), "%d elements, tokenizer.ggml.tokens has %d", length(v), length(tokens))
		}
	}
	return nil
}

// name reads a string that names something: UTF-8 without control characters, of bounded length.
func (m *metadata) name(field string) (string, error) { return readName(m.r, field) }

func readName(r *limits.Reader, field string) (string, error) {
	n, err := r.U64(field)
	if err != nil {
		return "", err
	}
	if n == 0 || n > maxName {
		return "", limits.Refuse(field, "a name of %d bytes, wants 1 to %d", n, maxName)
	}
	s, err := r.String(n, field)
	if err != nil {
		return "", err
	}
	if !utf8.ValidString(s) {
		return "", limits.Refuse(field, "name %s is not UTF-8", limits.Name(s))
	}
	for _, c := range s {
		if unicode.IsControl(c) {
			return "", limits.Refuse(field, "name %s holds control characters", limits.Name(s))
		}
	}
	return s, nil
}

// text reads a string of any bytes.
func (m *metadata) text(field string) (string, error) {
	n, err := m.r.U64(field)
	if err != nil {
		return "", err
	}
	if n > maxString {
		return "", limits.Refuse(field, "a string of %d bytes, at most %d", n, maxString)
	}
	return m.r.String(n, field)
}

// Types of values, by their numbers in the file.
const (
	kindU8 = iota
	kindI8
	kindU16
	kindI16
	kindU32
	kindI32
	kindF32
	kindBool
	kindString
	kindArray
	kindU64
	kindI64
	kindF64
)

func (m *metadata) value(kind uint32, field string) (any, error) {
	switch kind {
	case kindU8:
		return m.r.U8(field)
	case kindI8:
		v, err := m.r.U8(field)
		return int8(v), err
	case kindU16:
		return m.r.U16(field)
	case kindI16:
		v, err := m.r.U16(field)
		return int16(v), err
	case kindU32:
		return m.r.U32(field)
	case kindI32:
		v, err := m.r.U32(field)
		return int32(v), err
	case kindF32:
		v, err := m.r.U32(field)
		return math.Float32frombits(v), err
	case kindBool:
		return m.bool(field)
	case kindString:
		return m.text(field)
	case kindArray:
		return m.array(field)
	case kindU64:
		return m.r.U64(field)
	case kindI64:
		v, err := m.r.U64(field)
		return int64(v), err
	case kindF64:
		v, err := m.r.U64(field)
		return math.Float64frombits(v), err
	}
	return nil, limits.Refuse(field, "value type %d is not known", kind)
}

func (m *metadata) bool(field string) (bool, error) {
	v, err := m.r.U8(field)
	if err == nil && v > 1 {
		err = limits.Refuse(field, "bool is %d, neither 0 nor 1", v)
	}
	return v == 1, err
}

// array reads the type and number of elements and the elements. An array's element is no array: no model has such, and depth
// costs memory.
func (m *metadata) array(field string) (any, error) {
	kind, err := m.r.U32(field)
	if err != nil {
		return nil, err
	}
	n, err := m.r.U64(field)
	if err != nil {
		return nil, err
	}
	switch kind {
	case kindU8:
		return m.r.Bytes(n, field)
	case kindI8:
		return items(m, n, 1, field, func() (int8, error) { v, err := m.r.U8(field); return int8(v), err })
	case kindU16:
		return items(m, n, 2, field, func() (uint16, error) { return m.r.U16(field) })
	case kindI16:
		return items(m, n, 2, field, func() (int16, error) { v, err := m.r.U16(field); return int16(v), err })
	case kindU32:
		return items(m, n, 4, field, func() (uint32, error) { return m.r.U32(field) })
	case kindI32:
		return items(m, n, 4, field, func() (int32, error) { v, err := m.r.U32(field); return int32(v), err })
	case kindF32:
		return items(m, n, 4, field, func() (float32, error) { v, err := m.r.U32(field); return math.Float32frombits(v), err })
	case kindBool:
		return items(m, n, 1, field, func() (bool, error) { return m.bool(field) })
	case kindString:
		if err := m.strings.Spend(int64(n), field); err != nil { // refuses what is negative as int64
			return nil, err
		}
		return items(m, n, 8, field, func() (string, error) { return m.text(field) })
	case kindU64:
		return items(m, n, 8, field, func() (uint64, error) { return m.r.U64(field) })
	case kindI64:
		return items(m, n, 8, field, func() (int64, error) { v, err := m.r.U64(field); return int64(v), err })
	case kindF64:
		return items(m, n, 8, field, func() (float64, error) { v, err := m.r.U64(field); return math.Float64frombits(v), err })
	case kindArray:
		return nil, limits.Refuse(field, "an array of arrays, which is not read")
	}
	return nil, limits.Refuse(field, "array of value type %d, which is not known", kind)
}

// items reads n elements of at least width bytes, which are held against what is left before the slice is made.
func items[T any](m *metadata, n, width uint64, field string, read func() (T, error)) ([]T, error) {
	if total, ok := limits.Mul(n, width); !ok || total > uint64(m.r.Remaining()) {
		return nil, limits.Refuse(field, "an array of %d elements of at least %d bytes, %d bytes are left", n, width, m.r.Remaining())
	}
	list := make([]T, n)
	for i := range list {
		v, err := read()
		if err != nil {
			return nil, err
		}
		list[i] = v
	}
	return list, nil
}

// length is the number of elements of an array of the kinds that a vocabulary has, -1 for another value.
func length(v any) int {
	switch v := v.(type) {
	case []string:
		return len(v)
	case []float32:
		return len(v)
	case []int32:
		return len(v)
	case []uint32:
		return len(v)
	}
	return -1
}
