package packed

import (
	"errors"
	"fmt"
	"math"

	"graft/onnx"
	"graft/onnx/precision"
)

// kept is what of a weight is not zero.
type kept struct {
	dims     []int64
	elements int64
	values   []float32
	places   []uint64 // ascending
}

// keptOf takes a float32 initializer apart, dense or sparse, and says how many bytes it takes as it is; nil for others, and for
// those whose values alone take as much with width bytes each.
func keptOf(v *onnx.Value, width int) (k *kept, stored int) {
	switch {
	case v.Const != nil && v.Const.DType == onnx.Float:
		data, n := onnx.Read[float32](v.Const), 0
		for _, x := range data {
			if math.Float32bits(x) != 0 {
				n++
			}
		}
		if n*width >= len(v.Const.Data) {
			return nil, 0
		}
		k = &kept{dims: v.Const.Dims, elements: int64(len(data)), values: make([]float32, 0, n), places: make([]uint64, 0, n)}
		for i, x := range data {
			k.add(x, uint64(i))
		}
		return k, len(v.Const.Data)
	case v.Sparse != nil && v.Sparse.Values.DType == onnx.Float:
		n, err := onnx.ElementCount(v.Sparse.Dims)
		if err != nil {
			return nil, 0
		}
		k = &kept{dims: v.Sparse.Dims, elements: n}
		for i, x := range onnx.Read[float32](v.Sparse.Values) {
			k.add(x, linear(v.Sparse, i))
		}
		return k, len(v.Sparse.Values.Data) + len(v.Sparse.Indices.Data)
	}
	return nil, 0
}

func (k *kept) add(x float32, place uint64) {
	if math.Float32bits(x) != 0 {
		k.values, k.places = append(k.values, x), append(k.places, place)
	}
}

// linear is the place of a sparse tensor's element i among all.
func linear(s *onnx.SparseTensor, i int) (place uint64) {
	index := s.Indices.Int64s()
	if len(s.Indices.Dims) == 1 {
		return uint64(index[i])
	}
	for axis, size := range s.Dims {
		place = place*uint64(size) + uint64(index[i*len(s.Dims)+axis])
	}
	return place
}

// gaps are the numbers of zeros in front of each value.
func (k *kept) gaps() []uint64 {
	gaps, next := make([]uint64, len(k.places)), uint64(0)
	for i, place := range k.places {
		gaps[i], next = place-next, place+1
	}
	return gaps
}

// round gives the values in a type, and scales that int8 is multiplied by. What becomes zero is no longer kept.
func (k *kept) round(to onnx.DataType) (values, scales *onnx.Tensor, err error) {
	switch {
	case to == onnx.Float || to == onnx.Int8 && len(k.dims) < 2:
		return onnx.FromSlice(k.values), nil, nil
	case to == onnx.Float16:
		wide := onnx.FromSlice(k.values)
		if why := precision.Fits(wide, onnx.Float16); why != "" {
			return nil, nil, errors.New("float16 " + why)
		}
		codes := thin(k, onnx.View[uint16](precision.Round(wide, onnx.Float16)))
		values = onnx.NewTensor(onnx.Float16, int64(len(codes)))
		copy(onnx.View[uint16](values), codes)
		return values, nil, nil
	case to == onnx.Int8:
		rows := k.dims[0]
		largest := make([]float32, rows)
		row := func(place uint64) uint64 { return place / (uint64(k.elements) / uint64(rows)) }
		for i, x := range k.values {
			if x != x || math.IsInf(float64(x), 0) {
				return nil, nil, fmt.Errorf("int8 has nothing like %g", x)
			}
			r := row(k.places[i])
			largest[r] = max(largest[r], x, -x)
		}
		for r := range largest {
			largest[r] /= 127
		}
		codes := make([]int8, len(k.values))
		for i, x := range k.values {
			if scale := largest[row(k.places[i])]; scale > 0 {
				codes[i] = int8(max(-127, min(127, math.RoundToEven(float64(x)/float64(scale)))))
			}
		}
		return onnx.FromSlice(thin(k, codes)), onnx.FromSlice(largest), nil
	}
	return nil, nil, fmt.Errorf("values of %v: there are float32, float16 and int8", to)
}

// thin leaves out codes that are zero, with their places.
func thin[T int8 | uint16](k *kept, codes []T) []T {
	n := 0
	for i, code := range codes {
		if code != 0 {
			codes[n], k.places[n] = code, k.places[i]
			n++
		}
	}
	k.places = k.places[:n]
	return codes[:n]
}
