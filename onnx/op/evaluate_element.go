package op

import (
	"math"

	"graft/onnx"
)

// both is v when x and y are known.
func both(x, y element, v int64) element {
	if x.known && y.known {
		return number(v)
	}
	return element{}
}

// wrapped brings an element to the width of its type.
func wrapped(d onnx.DataType, e element) element {
	switch d {
	case onnx.Int32:
		e.i = int64(int32(e.i))
	case onnx.Int16:
		e.i = int64(int16(e.i))
	case onnx.Float:
		e.f = float64(float32(e.f))
	case onnx.Float16, onnx.BFloat16:
		if t, err := ScalarTensor(d, e.f); err == nil && e.known {
			v, _ := t.Reals()
			e.f = v[0]
		}
	}
	return e
}

func (e element) is(float bool, v int64) bool {
	if float {
		return e.known && e.f == float64(v)
	}
	return e.known && e.i == v
}

// symbolic computes with elements of which one at least is a symbol. Floats take part when they are whole numbers.
func symbolic(float bool, x, y element, f func(p, q polynomial) (polynomial, bool)) element {
	if x.symbol == "" && y.symbol == "" {
		return element{}
	}
	p, ok := x.polynomial(float)
	if !ok {
		return element{}
	}
	q, ok := y.polynomial(float)
	if !ok {
		return element{}
	}
	if p, ok = f(p, q); !ok {
		return element{}
	}
	if len(p) == 0 || (len(p) == 1 && p[0].factors == "") {
		n := int64(0)
		if len(p) == 1 {
			n = p[0].by
		}
		if float {
			return element{known: true, f: float64(n)}
		}
		return number(n)
	}
	return element{symbol: p.symbol()}
}

func (e element) polynomial(float bool) (polynomial, bool) {
	switch n := e.i; {
	case e.symbol != "":
		return parsePolynomial(e.symbol)
	case !e.known:
		return nil, false
	case float:
		if n = int64(e.f); float64(n) != e.f {
			return nil, false
		}
		fallthrough
	default:
		return constant(n), abs(n) <= maxSize && n != math.MinInt64
	}
}

func evalAdd(float bool, x, y element) element {
	switch {
	case x.known && y.known:
		return element{known: true, i: x.i + y.i, f: x.f + y.f}
	case x.is(float, 0):
		return y
	case y.is(float, 0):
		return x
	}
	return symbolic(float, x, y, polynomial.plus)
}

func evalSub(float bool, x, y element) element {
	switch {
	case x.known && y.known:
		return element{known: true, i: x.i - y.i, f: x.f - y.f}
	case y.is(float, 0):
		return x
	case x.symbol != "" && x.symbol == y.symbol:
		return number(0)
	}
	return symbolic(float, x, y, func(p, q polynomial) (polynomial, bool) { return p.plus(q.negative()) })
}

func evalMul(float bool, x, y element) element {
	switch {
	case x.known && y.known:
		return element{known: true, i: x.i * y.i, f: x.f * y.f}
	case x.is(float, 1):
		return y
	case y.is(float, 1):
		return x
	case !float && (x.is(false, 0) || y.is(false, 0)):
		return number(0)
	}
	return symbolic(float, x, y, polynomial.times)
}

// evalDiv: symbols are divided by a number and rounded down, or by others where nothing remains.
func evalDiv(float bool, x, y element) element {
	switch {
	case x.known && y.known && float:
		return element{known: true, f: x.f / y.f}
	case x.known && y.known && y.i != 0:
		return number(x.i / y.i)
	case y.is(float, 1):
		return x
	}
	return symbolic(float, x, y, func(p, q polynomial) (polynomial, bool) {
		if len(q) != 1 {
			return nil, false
		}
		if !float && q[0].factors == "" && x.natural() {
			return p.floor(q[0].by)
		}
		return p.over(q[0])
	})
}

// evalMod: the remainder has the divisor's sign.
func evalMod(_ bool, x, y element) element {
	if !x.known || !y.known || y.i == 0 {
		return element{}
	}
	r := x.i % y.i
	if r != 0 && (r < 0) != (y.i < 0) {
		r += y.i
	}
	return number(r)
}

func evalMin(float bool, x, y element) element {
	switch {
	case x.known && y.known:
		return element{known: true, i: min(x.i, y.i), f: min(x.f, y.f)}
	case x.symbol != "" && x.symbol == y.symbol:
		return x
	case x.natural() && y.known:
		return leastOf(float, x, y)
	case y.natural() && x.known:
		return leastOf(float, y, x)
	}
	return element{}
}

// leastOf is the smaller of a symbol and a number.
func leastOf(float bool, symbol, limit element) element {
	n := limit.i
	if float {
		if n = int64(limit.f); float64(n) != limit.f {
			return element{}
		}
	}
	if n < 0 || n > maxSize {
		return element{}
	}
	if d := atMost(onnx.Dim{Symbol: symbol.symbol}, n); !d.Known() {
		return element{symbol: d.Symbol}
	}
	return limit
}

func evalMax(float bool, x, y element) element {
	switch {
	case x.known && y.known:
		return element{known: true, i: max(x.i, y.i), f: max(x.f, y.f)}
	case x.symbol != "" && x.symbol == y.symbol:
		return x
	case !float && x.natural() && y.known && y.i <= 0:
		return x
	case !float && y.natural() && x.known && x.i <= 0:
		return y
	}
	return element{}
}

// natural reports whether e is a symbol that is not negative.
func (e element) natural() bool { return e.symbol != "" && natural(e.symbol) }
