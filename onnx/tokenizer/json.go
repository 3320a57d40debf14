package tokenizer

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"graft/onnx/limits"
)

// Bounds of a tokenizer's file. The largest vocabularies in use have some 260,000 tokens and 520,000 merges.
const (
	maxFile     = 128 << 20 // bytes
	maxTokens   = 2 << 20
	maxMerges   = 4 << 20
	maxToken    = 16 << 10 // bytes of a token
	maxText     = 16 << 20 // bytes of all tokens
	mostGap     = 1 << 16  // ids without a token beyond one for each that has one
	maxSettings = 1 << 19  // JSON values outside of the vocabulary and the merges
	maxDepth    = 32
)

// jsonReader reads JSON strictly: UTF-8, no name twice in an object, bounded depth and number of values. Vocabulary and merges are
// read by callbacks, without a value for each entry.
type jsonReader struct {
	b      []byte
	pos    int
	depth  *limits.Depth
	values *limits.Budget
}

func newJSON(b []byte) *jsonReader {
	return &jsonReader{b: b, depth: limits.NewDepth(maxDepth), values: limits.NewBudget("JSON values", maxSettings)}
}

// object is a JSON object in the order of the file.
type object struct {
	keys   []string
	values []any
}

func (o *object) get(key string) (any, bool) {
	for i, k := range o.keys {
		if k == key {
			return o.values[i], true
		}
	}
	return nil, false
}

func (j *jsonReader) fail(format string, args ...any) error {
	e := limits.Refuse("JSON", format, args...)
	e.Reason += " at byte " + strconv.Itoa(j.pos)
	return e
}

// next skips white space and gives the next byte without taking it; 0 at the end.
func (j *jsonReader) next() byte {
	for ; j.pos < len(j.b); j.pos++ {
		switch c := j.b[j.pos]; c {
		case ' ', '\t', '\n', '\r':
		default:
			return c
		}
	}
	return 0
}

func (j *jsonReader) expect(c byte) error {
	if got := j.next(); j.pos == len(j.b) {
		return j.fail("ends where %q was expected", c)
	} else if got != c {
		return j.fail("%q where %q was expected", got, c)
	}
	j.pos++
	return nil
}

// list reads open, entries separated by commas, and end, and calls entry at the beginning of each.
func (j *jsonReader) list(open, end byte, entry func() error) error {
	if err := j.depth.Enter("JSON"); err != nil {
		return err
	}
	defer j.depth.Leave()
	if err := j.expect(open); err != nil {
		return err
	}
	if j.next() == end && j.pos < len(j.b) {
		j.pos++
		return nil
	}
	for {
		j.next()
		if err := entry(); err != nil {
			return err
		}
		if j.next() == ',' {
			j.pos++
			continue
		}
		return j.expect(end)
	}
}

// members reads an object and calls member with each key, the reader standing at its value. That no key comes twice is the caller's.
func (j *jsonReader) members(member func(key string) error) error {
	return j.list('{', '}', func() error {
		key, err := j.text()
		if err != nil {
			return err
		}
		if err := j.expect(':'); err != nil {
			return err
		}
		j.next()
		return member(key)
	})
}

func (j *jsonReader) items(item func() error) error { return j.list('[', ']', item) }

// object reads an object whose members are values.
func (j *jsonReader) object() (*object, error) {
	o := &object{}
	seen := map[string]bool{}
	err := j.members(func(key string) error {
		if seen[key] {
			return j.fail("key %s twice", limits.Name(key))
		}
		seen[key] = true
		v, err := j.value()
		o.keys, o.values = append(o.keys, key), append(o.values, v)
		return err
	})
	return o, err
}

// value reads a value: *object, []any, string, float64, bool or nil.
func (j *jsonReader) value() (any, error) {
	if err := j.values.Spend(1, "JSON"); err != nil {
		return nil, err
	}
	switch c := j.next(); {
	case c == '{':
		return j.object()
	case c == '[':
		list := []any{}
		err := j.items(func() error {
			v, err := j.value()
			list = append(list, v)
			return err
		})
		return list, err
	case c == '"':
		return j.text()
	case c == '-' || c >= '0' && c <= '9':
		return j.number()
	}
	for _, w := range []struct {
		word  string
		value any
	}{{"true", true}, {"false", false}, {"null", nil}} {
		if rest := j.b[j.pos:]; len(rest) >= len(w.word) && string(rest[:len(w.word)]) == w.word {
			j.pos += len(w.word)
			return w.value, nil
		}
	}
	if j.pos == len(j.b) {
		return nil, j.fail("ends where a value was expected")
	}
	return nil, j.fail("%q where a value was expected", j.b[j.pos])
}

// number reads a finite number in JSON's grammar.
func (j *jsonReader) number() (float64, error) {
	start := j.pos
	for j.pos < len(j.b) && strings.IndexByte("+-.0123456789eE", j.b[j.pos]) >= 0 {
		j.pos++
	}
	s := string(j.b[start:j.pos])
	digits := strings.TrimPrefix(s, "-")
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsInf(v, 0) || digits == "" || digits[0] < '0' || digits[0] > '9' || strings.HasSuffix(s, ".") || strings.Contains(s, ".e") || strings.Contains(s, ".E") ||
		len(digits) > 1 && digits[0] == '0' && digits[1] >= '0' && digits[1] <= '9' {
		return 0, j.fail("no number: %s", limits.Name(s))
	}
	return v, nil
}

// integer reads a number of a token.
func (j *jsonReader) integer() (int32, error) {
	if c := j.next(); c != '-' && (c < '0' || c > '9') {
		return 0, j.fail("no number")
	}
	v, err := j.number()
	if err == nil && (v < 0 || v > math.MaxInt32 || v != math.Trunc(v)) {
		err = j.fail("id %v, wants 0 to %d", v, math.MaxInt32)
	}
	return int32(v), err
}

// text reads a string. It must be UTF-8; a lone surrogate is refused.
func (j *jsonReader) text() (string, error) {
	if j.pos == len(j.b) || j.b[j.pos] != '"' {
		return "", j.fail("something else where a string was expected")
	}
	j.pos++
	start := j.pos
	for j.pos < len(j.b) && j.b[j.pos] != '"' && j.b[j.pos] != '\\' && j.b[j.pos] >= 0x20 {
		j.pos++
	}
	out := j.b[start:j.pos]
	if j.pos < len(j.b) && j.b[j.pos] == '\\' {
		var err error
		if out, err = j.escaped(append([]byte(nil), out...)); err != nil {
			return "", err
		}
	}
	switch {
	case j.pos == len(j.b):
		return "", j.fail("ends inside a string")
	case j.b[j.pos] != '"':
		return "", j.fail("a control character in a string")
	case !utf8.Valid(out):
		return "", j.fail("a string that is not UTF-8")
	}
	j.pos++
	return string(out), nil
}

// escaped reads on after out, the reader standing at a backslash, up to a quote, a control character or the end.
func (j *jsonReader) escaped(out []byte) ([]byte, error) {
	for j.pos < len(j.b) && j.b[j.pos] != '"' && j.b[j.pos] >= 0x20 {
		c := j.b[j.pos]
		j.pos++
		if c != '\\' {
			out = append(out, c)
			continue
		}
		if j.pos == len(j.b) {
			break
		}
		c = j.b[j.pos]
		j.pos++
		if i := strings.IndexByte(`"\/bfnrt`, c); i >= 0 {
			out = append(out, "\"\\/\b\f\n\r\t"[i])
			continue
		}
		if c != 'u' {
			return nil, j.fail("unknown escape in a string")
		}
		r, ok := j.hex()
		if ok && utf16.IsSurrogate(r) {
			var low rune
			if j.pos+1 < len(j.b) && j.b[j.pos] == '\\' && j.b[j.pos+1] == 'u' {
				j.pos += 2
				low, ok = j.hex()
			}
			r = utf16.DecodeRune(r, low)
			ok = ok && r != utf8.RuneError
		}
		if !ok {
			return nil, j.fail("bad \\u escape in a string")
		}
		out = utf8.AppendRune(out, r)
	}
	return out, nil
}

// hex reads four hexadecimal digits.
func (j *jsonReader) hex() (rune, bool) {
	if len(j.b)-j.pos < 4 {
		return 0, false
	}
	v, err := strconv.ParseUint(string(j.b[j.pos:j.pos+4]), 16, 16)
	if err != nil {
		return 0, false
	}
	j.pos += 4
	return rune(v), true
}
