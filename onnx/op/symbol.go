package op

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"graft/onnx"
)

// Dimensions that are computed from symbols are symbols again: sums of products, written in one way, as in "2*N*S + 3". Rounded
// quotients and bounds, "floor(H/2)", "min(512, S)" and "max(0, S - 1)", are like identifiers in them. What is not of that
// form or larger than the bounds is unknown.
const (
	maxTerms   = 6   // of a sum
	maxFactors = 6   // of a product
	maxSymbol  = 200 // bytes
)

// term is a coefficient times symbols, in alphabetical order.
type term struct {
	by      int64
	factors string // joined by *
}

// polynomial is a sum of terms, those with more factors first, then in alphabetical order; no term twice, none with
// coefficient 0.
type polynomial []term

// polynomialOf reads a dimension; ok is false for an unknown one and for symbols that are not of that form.
func polynomialOf(d onnx.Dim) (p polynomial, ok bool) {
	if d.Known() {
		return constant(d.Size), true
	}
	if d.Symbol == "" || len(d.Symbol) > maxSymbol {
		return nil, false
	}
	return parsePolynomial(d.Symbol)
}

func constant(n int64) polynomial {
	if n == 0 {
		return polynomial{}
	}
	return polynomial{{n, ""}}
}

func parsePolynomial(s string) (p polynomial, ok bool) {
	if isAtom(s) {
		return polynomial{{1, s}}, true
	}
	sign, parts := int64(1), splitOutside(s, ' ')
	for i, part := range parts {
		if i%2 == 1 {
			switch part {
			case "+":
				sign = 1
			case "-":
				sign = -1
			default:
				return nil, false
			}
			continue
		}
		t := term{by: sign}
		names := splitOutside(part, '*')
		if n, err := strconv.ParseInt(names[0], 10, 64); err == nil {
			if n < 0 || n > maxSize {
				return nil, false
			}
			t.by, names = sign*n, names[1:]
		}
		if slices.ContainsFunc(names, func(name string) bool { return !isAtom(name) }) || len(names) > maxFactors {
			return nil, false
		}
		slices.Sort(names)
		t.factors = strings.Join(names, "*")
		if p, ok = p.plus(polynomial{t}); !ok {
			return nil, false
		}
	}
	return p, len(parts)%2 == 1
}

// splitOutside cuts s at a separator that is in no parentheses.
func splitOutside(s string, separator byte) []string {
	var parts []string
	depth, from := 0, 0
	for i := range len(s) {
		switch c := s[i]; {
		case c == '(':
			depth++
		case c == ')':
			depth--
		case c == separator && depth == 0:
			parts = append(parts, s[from:i])
			from = i + 1
		}
	}
	return append(parts, s[from:])
}

// isAtom reports whether s is an identifier, or one of the functions of this file applied to something.
func isAtom(s string) bool {
	name, rest, call := strings.Cut(s, "(")
	if !call {
		return isName(s)
	}
	depth := 1
	for i := range len(rest) {
		switch rest[i] {
		case '(':
			depth++
		case ')':
			depth--
		}
		if depth == 0 {
			return i == len(rest)-1 && i > 0 && (name == "floor" || name == "min" || name == "max")
		}
	}
	return false
}

func isName(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || i > 0 && (c >= '0' && c <= '9' || c == '.' || c == ':')) {
			return false
		}
	}
	return s != ""
}

// dim is p as a dimension.
func (p polynomial) dim() onnx.Dim {
	if len(p) == 0 {
		return size(0)
	}
	if len(p) == 1 && p[0].factors == "" {
		if p[0].by < 0 {
			return onnx.UnknownDim
		}
		return size(p[0].by)
	}
	s := p.symbol()
	if s == "" {
		return onnx.UnknownDim
	}
	return onnx.Dim{Symbol: s}
}

// symbol is p as text; empty when that is too long or begins with a minus.
func (p polynomial) symbol() string {
	if len(p) == 1 && p[0].by == 1 {
		return p[0].factors
	}
	var b strings.Builder
	for i, t := range p {
		by := t.by
		switch {
		case i == 0 && by < 0:
			return ""
		case i > 0 && by < 0:
			b.WriteString(" - ")
			by = -by
		case i > 0:
			b.WriteString(" + ")
		}
		if by != 1 || t.factors == "" {
			b.WriteString(strconv.FormatInt(by, 10))
			if t.factors != "" {
				b.WriteByte('*')
			}
		}
		b.WriteString(t.factors)
	}
	if b.Len() > maxSymbol {
		return ""
	}
	return b.String()
}

func (p polynomial) plus(q polynomial) (polynomial, bool) {
	out := slices.Clone(p)
	for _, t := range q {
		i, found := slices.BinarySearchFunc(out, t, func(a, b term) int {
			return cmp.Or(cmp.Compare(degree(b), degree(a)), cmp.Compare(a.factors, b.factors))
		})
		if !found {
			out = slices.Insert(out, i, t)
			continue
		}
		if out[i].by += t.by; out[i].by == 0 {
			out = slices.Delete(out, i, i+1)
		} else if abs(out[i].by) > maxSize {
			return nil, false
		}
	}
	return out, len(out) <= maxTerms
}

func (p polynomial) times(q polynomial) (polynomial, bool) {
	out, ok := polynomial{}, true
	for _, t := range p {
		for _, u := range q {
			by, fits := mul(abs(t.by), abs(u.by))
			if !fits || by > maxSize || degree(t)+degree(u) > maxFactors {
				return nil, false
			}
			if (t.by < 0) != (u.by < 0) {
				by = -by
			}
			if out, ok = out.plus(polynomial{{by, joinFactors(t.factors, u.factors)}}); !ok {
				return nil, false
			}
		}
	}
	return out, true
}

// over is p divided by one term, when that leaves no remainder.
func (p polynomial) over(t term) (polynomial, bool) {
	out, ok := polynomial{}, true
	for _, u := range p {
		if t.by == 0 || u.by%t.by != 0 {
			return nil, false
		}
		left := splitFactors(u.factors)
		for _, name := range splitFactors(t.factors) {
			j := slices.Index(left, name)
			if j < 0 {
				return nil, false
			}
			left = slices.Delete(left, j, j+1)
		}
		if out, ok = out.plus(polynomial{{u.by / t.by, strings.Join(left, "*")}}); !ok {
			return nil, false
		}
	}
	return out, true
}

// negative is -p.
func (p polynomial) negative() polynomial {
	out := slices.Clone(p)
	for i := range out {
		out[i].by = -out[i].by
	}
	return out
}

func degree(t term) int {
	if t.factors == "" {
		return 0
	}
	return len(splitOutside(t.factors, '*'))
}

func splitFactors(s string) []string {
	if s == "" {
		return nil
	}
	return splitOutside(s, '*')
}

func joinFactors(a, b string) string {
	switch {
	case a == "":
		return b
	case b == "":
		return a
	}
	all := append(splitFactors(a), splitFactors(b)...)
	slices.Sort(all)
	return strings.Join(all, "*")
}

func abs(n int64) int64 { return max(n, -n) }
