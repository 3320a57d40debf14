package safetensors

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"graft/onnx"
	"graft/onnx/limits"
)

const (
	maxHeader = 100_000_000 // the format's own limit
	maxCount  = 250_000     // tensors, and metadata entries
	maxName   = 4096        // bytes of a tensor's name
)

// Entry is one tensor's line in the header.
type Entry struct {
	Name       string
	DType      onnx.DataType
	Dims       []int64
	Begin, End int64 // byte range, counted from the end of the header
}

// parseHeader reads the JSON header. The entries come in the order of their bytes and fill exactly dataSize bytes.
func parseHeader(b []byte, dataSize int64) (entries []Entry, metadata map[string]string, err error) {
	if len(b) == 0 || b[0] != '{' {
		return nil, nil, limits.Refuse("header", "does not begin with '{'")
	}
	// Counted before anything is kept, so that what a header of many tensors costs is its bytes. Every tensor is an object, as are the
	// header itself and __metadata__.
	if n := objects(b); n > maxCount+2 {
		return nil, nil, limits.Refuse("header", "%d objects, more than %d tensors", n, maxCount)
	}
	j := &jsonReader{b: b}
	seen := make(map[string]bool)
	err = j.object(func(key string) error {
		if seen[key] {
			return j.fail("key %s twice", limits.Name(key))
		}
		seen[key] = true
		if key == "__metadata__" {
			var err error
			metadata, err = j.metadata()
			return err
		}
		e, err := j.entry(key)
		entries = append(entries, e)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	if j.space(); j.pos != len(b) {
		return nil, nil, j.fail("%d bytes after the JSON", len(b)-j.pos)
	}
	return entries, metadata, checkLayout(entries, dataSize)
}

// objects counts the braces that open, outside of strings.
func objects(b []byte) (n int) {
	quoted := false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case c == '"':
			quoted = !quoted
		case c == '\\' && quoted:
			i++
		case c == '{' && !quoted:
			n++
		}
	}
	return n
}

func (j *jsonReader) metadata() (map[string]string, error) {
	m := make(map[string]string)
	err := j.object(func(key string) error {
		if _, twice := m[key]; twice {
			return j.fail("key %s twice in __metadata__", limits.Name(key))
		}
		if len(m) == maxCount {
			return j.fail("more than %d entries in __metadata__", maxCount)
		}
		if j.next() != '"' {
			return j.fail("__metadata__ %s is not a string", limits.Name(key))
		}
		value, err := j.str()
		m[key] = value
		return err
	})
	return m, err
}

func (j *jsonReader) entry(name string) (Entry, error) {
	e := Entry{Name: name}
	if len(name) > maxName {
		return e, j.fail("tensor name of %d bytes, at most %d", len(name), maxName)
	}
	if strings.ContainsFunc(name, unicode.IsControl) {
		return e, j.fail("control character in tensor name %s", limits.Name(name))
	}
	dtype, bits := "", 0
	var offsets []int64
	err := j.object(func(key string) (err error) {
		var bit int
		var field func()
		switch key {
		case "dtype":
			bit, field = 1, func() { dtype, err = j.str() }
		case "shape":
			bit, field = 2, func() { e.Dims, err = j.integers(limits.MaxRank) }
		case "data_offsets":
			bit, field = 4, func() { offsets, err = j.integers(2) }
		default:
			return j.fail("tensor %s: unknown key %s", limits.Name(name), limits.Name(key))
		}
		if bits&bit != 0 {
			return j.fail("tensor %s: key %s twice", limits.Name(name), key)
		}
		bits |= bit
		field()
		return err
	})
	if err != nil {
		return e, err
	}
	refuse := func(format string, args ...any) error {
		return limits.Refuse("tensor "+limits.Name(name), format, args...)
	}
	if bits != 7 || len(offsets) != 2 {
		return e, refuse("needs dtype, shape and two data_offsets")
	}
	ok := false
	if e.DType, ok = dtypes[dtype]; !ok {
		return e, refuse("element type %s is not known", limits.Name(dtype))
	}
	if e.Begin, e.End = offsets[0], offsets[1]; e.Begin > e.End {
		return e, refuse("bytes end at %d before they begin at %d", e.End, e.Begin)
	}
	size, ok := limits.Bytes(e.Dims, e.DType.Bits())
	if !ok {
		return e, refuse("%s of shape %s has no size in whole bytes", dtype, dims(e.Dims))
	}
	if size != e.End-e.Begin {
		return e, refuse("%s of shape %s takes %d bytes, data_offsets give %d", dtype, dims(e.Dims), size, e.End-e.Begin)
	}
	return e, nil
}

// checkLayout sorts entries by position and refuses overlaps, holes, and bytes before the first or after the last.
func checkLayout(entries []Entry, dataSize int64) error {
	slices.SortStableFunc(entries, func(a, b Entry) int {
		return cmp.Or(cmp.Compare(a.Begin, b.Begin), cmp.Compare(a.End, b.End))
	})
	at := int64(0)
	for _, e := range entries {
		if e.Begin != at {
			what := "overlaps the tensor before it"
			if e.Begin > at {
				what = "leaves a hole before it"
			}
			return limits.Refuse("tensor "+limits.Name(e.Name), "begins at data byte %d and %s, which ends at %d", e.Begin, what, at)
		}
		at = e.End
	}
	if at != dataSize {
		return limits.Refuse("data", "tensors take %d bytes, the file has %d after the header", at, dataSize)
	}
	return nil
}

// dims prints a shape, cut to eight sizes.
func dims(d []int64) string {
	if len(d) > 8 {
		return fmt.Sprintf("%d of rank %d", d[:8], len(d))
	}
	return fmt.Sprint(d)
}
