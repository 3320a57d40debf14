package rewrite

import (
	"math"

	"graft/onnx"
)

// arithmetic applies an element-wise operator to numbers of one type, broadcast against each other, each step rounded to
// that type as a kernel does.
func arithmetic(n *onnx.Node, in []*onnx.Tensor, out result) *onnx.Tensor {
	xs := make([]*onnx.Tensor, len(in))
	for i, t := range in {
		if t == nil || t.DType != out.dtype {
			return nil
		}
		if xs[i] = broadcast(t, out.dims); xs[i] == nil {
			return nil
		}
	}
	switch out.dtype {
	case onnx.Float:
		return float(n.Op, xs, func(v float64) float32 { return float32(v) }, out)
	case onnx.Double:
		return float(n.Op, xs, func(v float64) float64 { return v }, out)
	case onnx.Int64:
		return whole[int64](n.Op, xs, out)
	case onnx.Int32:
		return whole[int32](n.Op, xs, out)
	}
	return nil
}

// binary lists the operators that fold their inputs from the left.
var binary = map[string]func(x, y float64) float64{
	"Add": func(x, y float64) float64 { return x + y }, "Sub": func(x, y float64) float64 { return x - y },
	"Mul": func(x, y float64) float64 { return x * y }, "Div": func(x, y float64) float64 { return x / y },
	"Pow": math.Pow, "Min": math.Min, "Max": math.Max,
}

var unary = map[string]func(x float64) float64{
	"Neg": func(x float64) float64 { return -x }, "Abs": math.Abs, "Sqrt": math.Sqrt, "Exp": math.Exp, "Log": math.Log,
	"Reciprocal": func(x float64) float64 { return 1 / x },
}

// float computes in float64 and rounds: for +, -, *, / and the square root of float32 that is the correctly rounded result.
func float[T float32 | float64](name string, in []*onnx.Tensor, round func(float64) T, out result) *onnx.Tensor {
	y := onnx.NewTensor(out.dtype, out.dims...)
	values := onnx.View[T](y)
	copy(values, onnx.View[T](in[0]))
	if f := unary[name]; f != nil && len(in) == 1 {
		for i, v := range values {
			values[i] = round(f(float64(v)))
		}
		return y
	}
	f := binary[name]
	if f == nil || len(in) == 1 && name != "Min" && name != "Max" {
		return nil
	}
	for _, t := range in[1:] {
		for i, v := range onnx.View[T](t) {
			values[i] = round(f(float64(values[i]), float64(v)))
		}
	}
	return y
}

// whole wraps around as integers do. A division by zero has no result.
func whole[T int32 | int64](name string, in []*onnx.Tensor, out result) *onnx.Tensor {
	y := onnx.NewTensor(out.dtype, out.dims...)
	values := onnx.View[T](y)
	copy(values, onnx.View[T](in[0]))
	if len(in) == 1 {
		switch name {
		case "Neg":
			for i := range values {
				values[i] = -values[i]
			}
		case "Abs":
			for i := range values {
				values[i] = max(values[i], -values[i])
			}
		case "Min", "Max":
		default:
			return nil
		}
		return y
	}
	for _, t := range in[1:] {
		for i, v := range onnx.View[T](t) {
			switch name {
			case "Add":
				values[i] += v
			case "Sub":
				values[i] -= v
			case "Mul":
				values[i] *= v
			case "Div":
				if v == 0 {
					return nil
				}
				values[i] /= v
			case "Min":
				values[i] = min(values[i], v)
			case "Max":
				values[i] = max(values[i], v)
			default:
				return nil
			}
		}
	}
	return y
}

// converted casts between floats, integers and Booleans where the result does not depend on the kernel: an integer keeps
// its value, a float is rounded to nearest, or cut to an integer that can hold it.
func converted(n *onnx.Node, in []*onnx.Tensor, out result) *onnx.Tensor {
	x := in[0]
	if x.DType == out.dtype {
		return reshaped(n, in, out)
	}
	values, ok := x.Reals()
	if !ok {
		return nil
	}
	y := onnx.NewTensor(out.dtype, out.dims...)
	if y.Len() != int64(len(values)) {
		return nil
	}
	const exact = 1 << 53
	for i, v := range values {
		if out.dtype == onnx.Bool {
			onnx.View[bool](y)[i] = v != 0
			continue
		}
		if !x.DType.IsFloat() && math.Abs(v) > exact {
			return nil
		}
		switch out.dtype {
		case onnx.Float:
			onnx.View[float32](y)[i] = float32(v)
		case onnx.Double:
			onnx.View[float64](y)[i] = v
		case onnx.Int64, onnx.Int32:
			if v = math.Trunc(v); math.IsNaN(v) || math.Abs(v) > exact {
				return nil
			}
			if out.dtype == onnx.Int64 {
				onnx.View[int64](y)[i] = int64(v)
				continue
			}
			if v < math.MinInt32 || v > math.MaxInt32 {
				return nil
			}
			onnx.View[int32](y)[i] = int32(v)
		default:
			return nil
		}
	}
	return y
}
