package safetensors

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"graft/onnx/limits"
)

// jsonReader reads the subset of JSON that a header may hold: objects, arrays, strings and non-negative integers. It is
// driven by the header's grammar, so that nesting is bounded by construction. Every name must be unique in its object;
// the callers see to that.
type jsonReader struct {
	b     []byte
	pos   int
	field string // what b is in messages; empty: the header, which stands behind 8 bytes
}

// maxInteger is the largest integer that every JSON reader takes for the same number.
const maxInteger = 1 << 53

func (j *jsonReader) fail(format string, args ...any) error {
	field, at := j.field, j.pos
	if field == "" {
		field, at = "header", 8+j.pos
	}
	e := limits.Refuse(field, format, args...)
	e.Reason += " at byte " + strconv.Itoa(at)
	return e
}

func (j *jsonReader) space() {
	for j.pos < len(j.b) {
		switch j.b[j.pos] {
		case ' ', '\t', '\n', '\r':
			j.pos++
		default:
			return
		}
	}
}

// next skips white space and gives the next byte without taking it; 0 at the end.
func (j *jsonReader) next() byte {
	j.space()
	if j.pos == len(j.b) {
		return 0
	}
	return j.b[j.pos]
}

func (j *jsonReader) expect(c byte) error {
	if got := j.next(); got != c || j.pos == len(j.b) {
		if j.pos == len(j.b) {
			return j.fail("JSON ends where %q was expected", c)
		}
		return j.fail("%q where %q was expected", got, c)
	}
	j.pos++
	return nil
}

// list reads open, entries separated by commas, close, and calls entry at the beginning of each.
func (j *jsonReader) list(open, end byte, entry func() error) error {
	if err := j.expect(open); err != nil {
		return err
	}
	if j.next() == end {
		j.pos++
		return nil
	}
	for {
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

// object reads an object and calls member with each key, the reader standing at its value.
func (j *jsonReader) object(member func(key string) error) error {
	return j.list('{', '}', func() error {
		j.next()
		key, err := j.str()
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

// integers reads an array of at most max integers.
func (j *jsonReader) integers(max int) ([]int64, error) {
	list := []int64{}
	err := j.list('[', ']', func() error {
		if len(list) == max {
			return j.fail("more than %d numbers", max)
		}
		j.next()
		n, err := j.integer()
		list = append(list, n)
		return err
	})
	return list, err
}

func (j *jsonReader) integer() (int64, error) {
	start, n := j.pos, int64(0)
	for ; j.pos < len(j.b) && j.b[j.pos] >= '0' && j.b[j.pos] <= '9'; j.pos++ {
		n = n*10 + int64(j.b[j.pos]-'0')
		if n > maxInteger {
			return 0, j.fail("number above 2^53")
		}
	}
	if j.pos < len(j.b) && strings.IndexByte("-+.eE", j.b[j.pos]) >= 0 || j.pos == start {
		return 0, j.fail("a number that is no plain non-negative integer")
	}
	if j.b[start] == '0' && j.pos > start+1 {
		return 0, j.fail("a number with a leading zero")
	}
	return n, nil
}

// str reads a string. It must be UTF-8; a lone surrogate is refused.
func (j *jsonReader) str() (string, error) {
	if j.pos == len(j.b) || j.b[j.pos] != '"' {
		return "", j.fail("something else where a string was expected")
	}
	j.pos++
	start := j.pos
	for j.pos < len(j.b) && j.b[j.pos] != '"' && j.b[j.pos] != '\\' && j.b[j.pos] >= 0x20 {
		j.pos++
	}
	if j.pos < len(j.b) && j.b[j.pos] == '"' { // no escapes
		s := j.b[start:j.pos]
		if !utf8.Valid(s) {
			return "", j.fail("a string that is not UTF-8")
		}
		j.pos++
		return string(s), nil
	}
	return j.escaped(start)
}

// escaped reads the string that begins at start and holds an escape at the reader's position.
func (j *jsonReader) escaped(start int) (string, error) {
	out := append([]byte(nil), j.b[start:j.pos]...)
	for {
		if j.pos == len(j.b) {
			return "", j.fail("JSON ends inside a string")
		}
		c := j.b[j.pos]
		switch {
		case c < 0x20:
			return "", j.fail("a control character in a string")
		case c == '"':
			if !utf8.Valid(out) {
				return "", j.fail("a string that is not UTF-8")
			}
			j.pos++
			return string(out), nil
		case c != '\\':
			out = append(out, c)
			j.pos++
			continue
		}
		j.pos++
		if j.pos == len(j.b) {
			return "", j.fail("JSON ends inside a string")
		}
		c = j.b[j.pos]
		j.pos++
		if i := strings.IndexByte(`"\/bfnrt`, c); i >= 0 {
			out = append(out, "\"\\/\b\f\n\r\t"[i])
			continue
		}
		if c != 'u' {
			return "", j.fail("unknown escape in a string")
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
			return "", j.fail("bad \\u escape in a string")
		}
		out = utf8.AppendRune(out, r)
	}
}

// hex reads four hexadecimal digits.
func (j *jsonReader) hex() (rune, bool) {
	if len(j.b)-j.pos < 4 {
		return 0, false
	}
	var r rune
	for _, c := range j.b[j.pos : j.pos+4] {
		d := strings.IndexByte("0123456789abcdef", c|0x20)
		if d < 0 {
			return 0, false
		}
		r = r<<4 | rune(d)
	}
	j.pos += 4
	return r, true
}
