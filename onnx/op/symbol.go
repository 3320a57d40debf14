package op

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"graft/onnx"
)

// Dimensions that are computed from symbols are symbols again: sums of products, written in one way, as in "2*N*S + 3". What is
// not of that form, such as a rounded quotient, or larger than the bounds, is unknown.
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

// polynomialOf reads a dimension; ok is false for an unknown one and for symbols that are not a sum of products of
// identifiers.
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
	if isName(s) {
		return polynomial{{1, s}}, true
	}
	sign := int64(1)
	for i, part := range strings.Split(s, " ") {
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
		names := strings.Split(part, "*")
		if n, err := strconv.ParseInt(names[0], 10, 64); err == nil {
			if n < 0 || n > maxSize {
				return nil, false
			}
			t.by, names = sign*n, names[1:]
		}
		if slices.ContainsFunc(names, func(name string) bool { return !isName(name) }) || len(names) > maxFactors {
			return nil, false
		}
		slices.Sort(names)
		t.factors = strings.Join(names, "*")
		if p, ok = p.plus(polynomial{t}); !ok {
			return nil, false
		}
	}
	return p, strings.Count(s, " ")%2 == 0
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
	return strings.Count(t.factors, "*") + 1
}

func splitFactors(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, "*")
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

// sumDim, productDim and quotientDim are arithmetic on dimensions; unknown where the result is not known exactly, or would
// be negative.
func sumDim(a, b onnx.Dim) onnx.Dim     { return combineDims(a, b, polynomial.plus) }
func productDim(a, b onnx.Dim) onnx.Dim { return combineDims(a, b, polynomial.times) }

func quotientDim(a, b onnx.Dim) onnx.Dim {
	return combineDims(a, b, func(p, q polynomial) (polynomial, bool) {
		if len(q) != 1 {
			return nil, slices.Equal(p, q) && len(p) > 0
		}
		return p.over(q[0])
	})
}

// shiftedDim is d + n; n may be negative.
func shiftedDim(d onnx.Dim, n int64) onnx.Dim {
	switch {
	case n == 0:
		return d
	case d.Known() && d.Size+n >= 0:
		return size(d.Size + n)
	}
	return combineDims(d, size(0), func(p, _ polynomial) (polynomial, bool) { return p.plus(constant(n)) })
}

// floorDim is d/n rounded down, where every symbol's coefficient divides.
func floorDim(d onnx.Dim, n int64) onnx.Dim {
	return combineDims(d, size(0), func(p, _ polynomial) (polynomial, bool) {
		last := len(p) - 1
		if last < 0 || p[last].factors != "" {
			return p.over(term{by: n})
		}
		rest, ok := p[:last].over(term{by: n})
		c := p[last].by / n
		if p[last].by%n < 0 {
			c--
		}
		if !ok {
			return nil, false
		}
		return rest.plus(constant(c))
	})
}

// natural reports whether a symbol is not negative whatever its parts are, as dimensions are not.
func natural(symbol string) bool {
	p, ok := parsePolynomial(symbol)
	return !ok || !slices.ContainsFunc(p, func(t term) bool { return t.by < 0 }) // what is no sum comes from a dimension
}

// difference is a - b, where it is known not to be negative.
func difference(a, b onnx.Dim) (onnx.Dim, bool) {
	d := combineDims(a, b, func(p, q polynomial) (polynomial, bool) { return p.plus(q.negative()) })
	return d, d.Known() || d.Symbol != "" && natural(d.Symbol)
}

// atMost is the smaller of d and n, and aboveZero the larger of d and 0. Where neither is known to be it, they are symbols of
// their own, equal for equal operands.
func atMost(d onnx.Dim, n int64) onnx.Dim {
	if _, below := difference(d, size(n)); below || n == 0 {
		return size(n)
	}
	if m, whole, ok := minimumOf(d.Symbol); ok {
		d.Symbol, n = whole, min(n, m)
	}
	return function("min("+strconv.FormatInt(n, 10)+", ", d, ")")
}

// minimumOf takes apart what atMost made.
func minimumOf(symbol string) (n int64, whole string, ok bool) {
	rest, ok := strings.CutPrefix(symbol, "min(")
	if !ok {
		return 0, "", false
	}
	number, rest, _ := strings.Cut(rest, ", ")
	whole, ok = strings.CutSuffix(rest, ")")
	n, err := strconv.ParseInt(number, 10, 64)
	return n, whole, ok && err == nil && n >= 0
}

func aboveZero(d onnx.Dim) onnx.Dim {
	if d.Known() || d.Symbol != "" && natural(d.Symbol) {
		return d
	}
	return function("max(0, ", d, ")")
}

func function(before string, d onnx.Dim, after string) onnx.Dim {
	if d.Symbol == "" || len(d.Symbol)+len(before)+len(after) > maxSymbol {
		return onnx.UnknownDim
	}
	return onnx.Dim{Symbol: before + d.Symbol + after}
}

// cutOf reports whether part is atMost of whole: then they broadcast to whole, for either part is the same, or it is 1, or
// whole is 1 and both are.
func cutOf(part, whole onnx.Dim) bool {
	_, of, ok := minimumOf(part.Symbol)
	return ok && of == whole.Symbol
}

func combineDims(a, b onnx.Dim, f func(p, q polynomial) (polynomial, bool)) onnx.Dim {
	p, ok := polynomialOf(a)
	if !ok {
		return onnx.UnknownDim
	}
	q, ok := polynomialOf(b)
	if !ok {
		return onnx.UnknownDim
	}
	if p, ok = f(p, q); !ok {
		return onnx.UnknownDim
	}
	return p.dim()
}
