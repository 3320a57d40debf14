package op

import (
	"slices"
	"strconv"
	"strings"

	"graft/onnx"
)

// sumDim, productDim and quotientDim are arithmetic on dimensions; unknown where the result is not known exactly, or would
// be negative.
func sumDim(a, b onnx.Dim) onnx.Dim     { return combineDims(a, b, polynomial.plus) }
func productDim(a, b onnx.Dim) onnx.Dim { return combineDims(a, b, polynomial.times) }

func quotientDim(a, b onnx.Dim) onnx.Dim {
	return combineDims(a, b, func(p, q polynomial) (polynomial, bool) {
		if len(q) != 1 {
			return constant(1), slices.Equal(p, q) && len(p) > 0
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

// floorDim is d/n rounded down. What divides is taken out: (4*H + 3)/2 is 2*H + 1, (H - 1)/2 is floor((H + 1)/2) - 1.
func floorDim(d onnx.Dim, n int64) onnx.Dim {
	return combineDims(d, size(0), func(p, _ polynomial) (polynomial, bool) { return p.floor(n) })
}

func (p polynomial) floor(n int64) (polynomial, bool) {
	if n < 1 {
		return nil, false
	}
	var whole, rest polynomial
	for _, t := range p {
		q, r := t.by/n, t.by%n
		switch {
		case t.factors == "" && r < 0:
			q, r = q-1, r+n
		case t.factors != "" && r != 0:
			q, r = 0, t.by
		}
		if q != 0 {
			whole = append(whole, term{q, t.factors})
		}
		if r != 0 {
			rest = append(rest, term{r, t.factors})
		}
	}
	if len(rest) == 0 || rest[0].factors == "" { // what is left of the numbers is less than n
		return whole, true
	}
	quotient, ok := rest.nested(n)
	if !ok {
		over := rest.symbol()
		if over == "" || len(over) > maxSymbol-32 {
			return nil, false
		}
		if strings.Contains(over, " ") {
			over = "(" + over + ")"
		}
		quotient = polynomial{{1, "floor(" + over + "/" + strconv.FormatInt(n, 10) + ")"}}
	}
	return whole.plus(quotient)
}

// nested is p/n rounded down where p is a rounded quotient and a number: floor(floor(x/m)/n) is floor(x/(m*n)).
func (p polynomial) nested(n int64) (polynomial, bool) {
	inner, ok := strings.CutPrefix(p[0].factors, "floor(")
	if !ok || p[0].by != 1 || len(p) > 2 || (len(p) == 2 && p[1].factors != "") || !isAtom(p[0].factors) {
		return nil, false
	}
	cut := strings.LastIndexByte(inner, '/')
	if cut < 0 {
		return nil, false
	}
	m, err := strconv.ParseInt(strings.TrimSuffix(inner[cut+1:], ")"), 10, 64)
	by, fits := mul(m, n)
	if err != nil || !fits || m < 1 || by > maxSize {
		return nil, false
	}
	x, ok := parsePolynomial(strings.TrimSuffix(strings.TrimPrefix(inner[:cut], "("), ")"))
	if !ok {
		return nil, false
	}
	if len(p) == 2 {
		c, fits := mul(p[1].by, m) // not negative: it is a remainder
		if !fits || c > maxSize {
			return nil, false
		}
		if x, ok = x.plus(constant(c)); !ok {
			return nil, false
		}
	}
	return x.floor(by)
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

// CutAboveOne reports whether part is the smaller of whole and of a number above 1. Where it broadcasts to whole when the graph
// runs, the two are the same.
func CutAboveOne(part, whole onnx.Dim) bool {
	n, _, ok := minimumOf(part.Symbol)
	return ok && n > 1 && cutOf(part, whole)
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
