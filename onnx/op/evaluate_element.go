package op

import "graft/onnx"

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
	}
	return e
}

func (e element) is(float bool, v int64) bool {
	if float {
		return e.known && e.f == float64(v)
	}
	return e.known && e.i == v
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
	return element{}
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
	return element{}
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
	return element{}
}

func evalDiv(float bool, x, y element) element {
	switch {
	case x.known && y.known && float:
		return element{known: true, f: x.f / y.f}
	case x.known && y.known && y.i != 0:
		return number(x.i / y.i)
	case y.is(float, 1):
		return x
	}
	return element{}
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
	}
	return element{}
}

func evalMax(float bool, x, y element) element {
	switch {
	case x.known && y.known:
		return element{known: true, i: max(x.i, y.i), f: max(x.f, y.f)}
	case x.symbol != "" && x.symbol == y.symbol:
		return x
	case !float && x.symbol != "" && y.known && y.i <= 0: // dimensions are not negative
		return x
	case !float && y.symbol != "" && x.known && x.i <= 0:
		return y
	}
	return element{}
}
