package dataset

import (
	"strings"

	"graft/onnx/limits"
)

// npyHeader is the dictionary at the beginning of a .npy file.
type npyHeader struct {
	descr   string
	fortran bool
	shape   []int64
}

// npyText reads the header's one form: a dictionary literal of three fixed keys. It is no parser of Python.
type npyText struct {
	s   string
	pos int
}

// parseNpyHeader wants each of the three keys once, nothing else, and white space after the dictionary.
func parseNpyHeader(s string) (npyHeader, error) {
	var h npyHeader
	p := &npyText{s: s}
	seen := make(map[string]bool)
	if err := p.expect('{'); err != nil {
		return h, err
	}
	for p.next() != '}' {
		key, err := p.quoted()
		if err != nil {
			return h, err
		}
		if seen[key] {
			return h, p.fail("key %s twice", limits.Name(key))
		}
		seen[key] = true
		if err := p.expect(':'); err != nil {
			return h, err
		}
		switch p.next(); key {
		case "descr":
			h.descr, err = p.descr()
		case "fortran_order":
			h.fortran, err = p.boolean()
		case "shape":
			h.shape, err = p.tuple()
		default:
			err = p.fail("unknown key %s", limits.Name(key))
		}
		if err != nil {
			return h, err
		}
		if p.next() == ',' {
			p.pos++
		} else if p.next() != '}' {
			return h, p.fail("no comma between entries")
		}
	}
	p.pos++
	if strings.Trim(p.s[p.pos:], " \n") != "" {
		return h, p.fail("text after the dictionary")
	}
	if len(seen) != 3 {
		return h, limits.Refuse("npy header", "needs descr, fortran_order and shape")
	}
	return h, nil
}

func (p *npyText) fail(format string, args ...any) error {
	return limits.Refuse("npy header", format+" at its byte %d", append(args, p.pos)...)
}

// next skips blanks and gives the next byte, 0 at the end.
func (p *npyText) next() byte {
	for p.pos < len(p.s) && p.s[p.pos] == ' ' {
		p.pos++
	}
	if p.pos == len(p.s) {
		return 0
	}
	return p.s[p.pos]
}

func (p *npyText) expect(c byte) error {
	if p.next() != c {
		return p.fail("no %q", c)
	}
	p.pos++
	return nil
}

// quoted reads a string without escapes.
func (p *npyText) quoted() (string, error) {
	q := p.next()
	if q != '\'' && q != '"' {
		return "", p.fail("no string")
	}
	n := strings.IndexByte(p.s[p.pos+1:], q)
	if n < 0 {
		return "", p.fail("a string without an end")
	}
	text := p.s[p.pos+1 : p.pos+1+n]
	if strings.ContainsAny(text, "\\\n") {
		return "", p.fail("an escape in a string")
	}
	p.pos += n + 2
	return text, nil
}

func (p *npyText) descr() (string, error) {
	if c := p.next(); c == '[' || c == '(' {
		return "", p.fail("a structured type, only plain numbers are read")
	}
	return p.quoted()
}

func (p *npyText) boolean() (bool, error) {
	for text, v := range map[string]bool{"True": true, "False": false} {
		if strings.HasPrefix(p.s[p.pos:], text) {
			p.pos += len(text)
			return v, nil
		}
	}
	return false, p.fail("neither True nor False")
}

// tuple reads "()", "(3,)" or "(2, 3)".
func (p *npyText) tuple() ([]int64, error) {
	if err := p.expect('('); err != nil {
		return nil, err
	}
	sizes, comma := []int64{}, false
	for p.next() != ')' {
		if len(sizes) > 0 && !comma {
			return nil, p.fail("no comma between sizes")
		}
		n, err := p.size()
		if err != nil {
			return nil, err
		}
		if sizes = append(sizes, n); len(sizes) > maxNpyRank {
			return nil, p.fail("more than %d sizes", maxNpyRank)
		}
		if comma = p.next() == ','; comma {
			p.pos++
		}
	}
	p.pos++
	if len(sizes) == 1 && !comma {
		return nil, p.fail("a number in parentheses is no tuple")
	}
	return sizes, nil
}

// size reads a non-negative decimal integer; Python 2's mark of a long integer may follow.
func (p *npyText) size() (int64, error) {
	start, n := p.pos, int64(0)
	for ; p.pos < len(p.s) && p.s[p.pos] >= '0' && p.s[p.pos] <= '9'; p.pos++ {
		var ok, ok2 bool
		n, ok = limits.MulInt(n, 10)
		n, ok2 = limits.AddInt(n, int64(p.s[p.pos]-'0'))
		if !ok || !ok2 {
			return 0, p.fail("a size above 2^63")
		}
	}
	if p.pos == start || p.s[start] == '0' && p.pos > start+1 {
		return 0, p.fail("a size that is no plain non-negative integer")
	}
	if p.pos < len(p.s) && p.s[p.pos] == 'L' {
		p.pos++
	}
	return n, nil
}
