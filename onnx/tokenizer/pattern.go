package tokenizer

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"graft/onnx/limits"
)

// pattern finds the matches of a regular expression or of a string, from front to back.
type pattern struct {
	scan    scanner        // all of a text, piece by piece
	text    string         // where there is no regular expression
	re      *regexp.Regexp // Perl's order of alternatives
	tail    int            // the group of re that stands for \s+(?!\S); 0: none
	literal bool
}

const maxPattern = 4096 // bytes

// each calls match with the range of every match.
func (p *pattern) each(s string, match func(from, to int)) {
	switch {
	case p.scan != nil:
		for at := 0; at < len(s); {
			n := p.scan(s[at:])
			match(at, at+n)
			at += n
		}
	case p.literal:
		if p.text == "" {
			return
		}
		for at := 0; ; {
			i := strings.Index(s[at:], p.text)
			if i < 0 {
				return
			}
			match(at+i, at+i+len(p.text))
			at += i + len(p.text)
		}
	case p.tail > 0:
		for at := 0; at < len(s); {
			m := p.re.FindStringSubmatchIndex(s[at:])
			if m == nil {
				return
			}
			from, to := at+m[0], at+m[1]
			if m[2*p.tail] >= 0 && to < len(s) {
				if _, n := utf8.DecodeLastRuneInString(s[from:to]); n < to-from {
					to -= n
				}
			}
			if from == to {
				_, n := utf8.DecodeRuneInString(s[to:])
				at = to + n
				continue
			}
			match(from, to)
			at = to
		}
	default:
		for _, m := range p.re.FindAllStringIndex(s, -1) {
			match(m[0], m[1])
		}
	}
}

// compile makes a pattern of a regular expression in Oniguruma's syntax. What has no exact equal in Go's regular expressions, which
// take linear time, is refused by name.
func compile(expression, field string) (*pattern, error) {
	if scan, ok := knownPatterns[expression]; ok {
		return &pattern{scan: scan}, nil
	}
	if len(expression) > maxPattern {
		return nil, limits.Refuse(field, "a regular expression of %d bytes, at most %d", len(expression), maxPattern)
	}
	t := translator{in: expression}
	out, err := t.translate()
	if err != nil {
		return nil, limits.Refuse(field, "regular expression %s: %v", limits.Name(expression), err)
	}
	re, err := regexp.Compile(out)
	if err != nil {
		return nil, limits.Refuse(field, "regular expression %s: not one of Go's", limits.Name(expression))
	}
	return &pattern{re: re, tail: t.tail}, nil
}

// translator writes Oniguruma's syntax as Go's: classes become ranges, so that they hold what tokenizers has in them.
type translator struct {
	in           string
	at, depth    int
	groups, tail int
	out          strings.Builder
	anchored     bool
}

// spaceTail is the look-ahead that has an equal: white space up to its last character, where a match of all white space follows.
const spaceTail = `\s+(?!\S)`

func (t *translator) translate() (string, error) {
	for t.at < len(t.in) {
		rest := t.in[t.at:]
		c := rest[0]
		switch {
		case strings.HasPrefix(rest, spaceTail) && t.depth == 0 && t.tail == 0 && (t.at == 0 || t.in[t.at-1] == '|') && followedBySpace(rest[len(spaceTail):]):
			t.groups++
			t.tail = t.groups
			t.out.WriteString("(" + ranges(spaces(), false) + "+)")
			t.at += len(spaceTail)
		case c == '\\':
			if err := t.escape(false); err != nil {
				return "", err
			}
		case c == '[':
			if err := t.class(); err != nil {
				return "", err
			}
		case c == '(':
			if err := t.group(); err != nil {
				return "", err
			}
		case c == ')':
			t.depth--
			t.out.WriteByte(c)
			t.at++
		case strings.IndexByte("*+?}", c) >= 0:
			t.out.WriteByte(c)
			t.at++
			if t.at < len(t.in) && t.in[t.at] == '+' {
				return "", fmt.Errorf("possessive quantifier %q is not done", t.in[t.at-1:t.at+1])
			}
		case c == '^', c == '$':
			t.anchored = true
			fmt.Fprintf(&t.out, "(?m:%c)", c)
			t.at++
		default:
			_, n := utf8.DecodeRuneInString(rest)
			t.out.WriteString(rest[:n])
			t.at += n
		}
	}
	if t.anchored && t.tail > 0 {
		return "", fmt.Errorf("an anchor beside the look-ahead %s is not done", spaceTail)
	}
	return t.out.String(), nil
}

func followedBySpace(rest string) bool {
	after, ok := strings.CutPrefix(rest, `|\s+`)
	return ok && (after == "" || after[0] == '|')
}

func (t *translator) group() error {
	rest := t.in[t.at:]
	switch {
	case strings.HasPrefix(rest, "(?:"), strings.HasPrefix(rest, "(?i:"):
		n := strings.IndexByte(rest, ':') + 1
		t.out.WriteString(rest[:n])
		t.at += n
	case strings.HasPrefix(rest, "(?"):
		for _, look := range []struct{ open, name string }{{"(?=", "look-ahead"}, {"(?!", "negative look-ahead"}, {"(?<=", "look-behind"}, {"(?<!", "negative look-behind"}, {"(?>", "atomic group"}} {
			if strings.HasPrefix(rest, look.open) {
				return fmt.Errorf("%s %s… is not done", look.name, look.open)
			}
		}
		return fmt.Errorf("group %s… is not done", limits.Name(rest[:min(4, len(rest))]))
	default:
		t.out.WriteString("(?:")
		t.at++
	}
	t.depth++
	return nil
}

// escape writes the escape at the reader's position, inside of a class without brackets.
func (t *translator) escape(inside bool) error {
	if t.at+1 >= len(t.in) {
		return fmt.Errorf("ends in a backslash")
	}
	c, n := utf8.DecodeRuneInString(t.in[t.at+1:])
	t.at += 1 + n
	write := func(table *unicode.RangeTable, not bool) {
		if inside {
			t.out.WriteString(strings.Trim(ranges(table, not), "[]"))
			return
		}
		t.out.WriteString(ranges(table, not))
	}
	switch c {
	case 's', 'S':
		write(spaces(), c == 'S')
	case 'd', 'D':
		write(class("Nd"), c == 'D')
	case 'w', 'W':
		write(class("w"), c == 'W')
	case 'p', 'P':
		rest := t.in[t.at:]
		end := strings.IndexByte(rest, '}')
		if end < 1 || rest[0] != '{' {
			return fmt.Errorf("property without braces")
		}
		name, not := rest[1:end], c == 'P'
		if inverted, ok := strings.CutPrefix(name, "^"); ok {
			name, not = inverted, !not
		}
		table := class(name)
		if table == nil {
			table = unicode.Scripts[name]
		}
		if table == nil {
			table = unicode.Categories[name]
		}
		if table == nil {
			return fmt.Errorf("property %s is not known", limits.Name(name))
		}
		t.at += end + 1
		write(table, not)
	case 'r', 'n', 't', 'f', 'v':
		t.out.WriteString(`\` + string(c))
	default:
		if c >= utf8.RuneSelf || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' {
			return fmt.Errorf(`escape \%s is not done`, strings.Trim(limits.Name(string(c)), `"`))
		}
		t.out.WriteString(regexp.QuoteMeta(string(c)))
	}
	return nil
}

// class writes a bracket expression.
func (t *translator) class() error {
	t.out.WriteByte('[')
	t.at++
	if t.at < len(t.in) && t.in[t.at] == '^' {
		t.out.WriteByte('^')
		t.at++
	}
	for start := t.at; t.at < len(t.in); {
		rest := t.in[t.at:]
		switch c := rest[0]; {
		case c == ']' && t.at > start:
			t.out.WriteByte(c)
			t.at++
			return nil
		case c == '[' || c == ']':
			return fmt.Errorf("a class in a class is not done")
		case strings.HasPrefix(rest, "&&"):
			return fmt.Errorf("an intersection of classes is not done")
		case c == '\\':
			if err := t.escape(true); err != nil {
				return err
			}
		default:
			r, n := utf8.DecodeRuneInString(rest)
			if r == '-' {
				t.out.WriteByte('-')
			} else {
				t.out.WriteString(regexp.QuoteMeta(string(r)))
			}
			t.at += n
		}
	}
	return fmt.Errorf("a class without an end")
}

func spaces() *unicode.RangeTable { return unicode.White_Space }

// ranges writes a class, or what it leaves, as a bracket expression.
func ranges(table *unicode.RangeTable, not bool) string {
	var b strings.Builder
	b.WriteByte('[')
	write := func(lo, hi rune) {
		if lo == hi {
			fmt.Fprintf(&b, `\x{%x}`, lo)
		} else if lo < hi {
			fmt.Fprintf(&b, `\x{%x}-\x{%x}`, lo, hi)
		}
	}
	next := rune(0)
	one := func(lo, hi rune) {
		if !not {
			write(lo, hi)
		} else if lo > next {
			write(next, lo-1)
		}
		next = hi + 1
	}
	each := func(lo, hi, stride rune) {
		if stride == 1 {
			one(lo, hi)
			return
		}
		for c := lo; c <= hi; c += stride {
			one(c, c)
		}
	}
	for _, r := range table.R16 {
		each(rune(r.Lo), rune(r.Hi), rune(r.Stride))
	}
	for _, r := range table.R32 {
		each(rune(r.Lo), rune(r.Hi), rune(r.Stride))
	}
	if not && next <= unicode.MaxRune {
		write(next, unicode.MaxRune)
	}
	b.WriteByte(']')
	return b.String()
}
