package autodiff

import (
	"math"

	"graft/onnx"
	"graft/onnx/op"
)

// tap is an element of the input and its weight in an element of the output.
type tap struct {
	at     int64
	weight float64
}

// interpolation gives the taps of each element of the output along one axis.
type interpolation [][]tap

// interpolationOf reads one axis of a Resize node; what says what it cannot do.
func interpolationOf(n *onnx.Node, axis int, in, out int64) (m interpolation, what string) {
	mode := onnx.AttrOr(n, "mode", "nearest")
	coordinates := onnx.AttrOr(n, "coordinate_transformation_mode", "half_pixel")
	scale, ok := resizeScale(n, axis, in, out)
	if !ok {
		return nil, "scales that are not constant"
	}
	region, ok := regionOf(n, axis, coordinates)
	if !ok {
		return nil, "a region that is not constant"
	}
	filter := 1.0 // how far the kernel is stretched
	if onnx.AttrOr(n, "antialias", int64(0)) != 0 && scale < 1 {
		filter = scale
	}
	exclude := onnx.AttrOr(n, "exclude_outside", int64(0)) != 0
	m = make(interpolation, out)
	for i := range out {
		x, ok := sourceCoordinate(coordinates, float64(i), scale, in, out, region)
		if !ok {
			return nil, "coordinates " + coordinates
		}
		if coordinates == "tf_crop_and_resize" && (x < 0 || x > float64(in-1)) {
			continue // the extrapolation value
		}
		switch mode {
		case "nearest":
			m[i] = []tap{{int64(clamp(nearestTo(x, onnx.AttrOr(n, "nearest_mode", "round_prefer_floor")), in)), 1}}
		case "linear":
			m[i] = spreadTaps(x, in, 1, filter, exclude, func(d float64) float64 { return max(0, 1-math.Abs(d)) })
		case "cubic":
			a := float64(onnx.AttrOr(n, "cubic_coeff_a", float32(-0.75)))
			m[i] = spreadTaps(x, in, 2, filter, exclude, func(d float64) float64 { return cubic(math.Abs(d), a) })
		default:
			return nil, "mode " + mode
		}
	}
	return m, ""
}

// spreadTaps weighs the elements around x by a kernel of that radius, stretched by 1/filter. Elements outside are left out
// and the rest made to sum to one, or else stand for the border.
func spreadTaps(x float64, in int64, radius int, filter float64, exclude bool, kernel func(d float64) float64) []tap {
	reach := float64(radius) / filter
	var taps []tap
	sum := 0.0
	for k := math.Floor(x-reach) + 1; k <= math.Floor(x)+math.Ceil(reach); k++ {
		w := kernel((k - x) * filter)
		if w == 0 || exclude && (k < 0 || k > float64(in-1)) {
			continue
		}
		taps = append(taps, tap{int64(clamp(k, in)), w})
		sum += w
	}
	if sum != 0 && (exclude || filter < 1) {
		for i := range taps {
			taps[i].weight /= sum
		}
	}
	return taps
}

// cubic is the kernel of cubic convolution (Keys 1981) at the distance d >= 0.
func cubic(d, a float64) float64 {
	switch {
	case d <= 1:
		return ((a+2)*d-(a+3))*d*d + 1
	case d < 2:
		return ((a*d-5*a)*d+8*a)*d - 4*a
	}
	return 0
}

func nearestTo(x float64, mode string) float64 {
	switch mode {
	case "floor":
		return math.Floor(x)
	case "ceil":
		return math.Ceil(x)
	case "round_prefer_ceil":
		return math.Floor(x + 0.5)
	}
	return math.Ceil(x - 0.5)
}

// clamp puts a place into 0..in-1.
func clamp(v float64, in int64) float64 { return min(max(v, 0), float64(in-1)) }

// resizeScale is the factor of an axis: as given, or the ratio of the sizes.
func resizeScale(n *onnx.Node, axis int, in, out int64) (float64, bool) {
	place, ok := placeOf(n, axis)
	if !ok {
		return 1, true
	}
	if n.Input(2) != nil {
		if t := op.ConstantOf(n.Input(2)); t != nil && t.Len() > 0 {
			v := t.Float32s()
			if place >= len(v) {
				return 0, false
			}
			return float64(v[place]), v[place] > 0
		} else if t == nil && n.Input(3) == nil {
			return 0, false
		}
	}
	return float64(out) / float64(in), in > 0
}

// placeOf is the position of an axis in scales and sizes; false when it is not resized.
func placeOf(n *onnx.Node, axis int) (int, bool) {
	axes, ok := n.Attr("axes")
	if !ok {
		return axis, true
	}
	list, _ := axes.Value.([]int64)
	for i, a := range list {
		if a == int64(axis) || a+int64(len(n.Output(0).Type.Shape)) == int64(axis) {
			return i, true
		}
	}
	return 0, false
}

// regionOf is the part of an axis that tf_crop_and_resize looks at, from 0 to 1.
func regionOf(n *onnx.Node, axis int, coordinates string) ([2]float64, bool) {
	all := [2]float64{0, 1}
	place, resized := placeOf(n, axis)
	if coordinates != "tf_crop_and_resize" || !resized {
		return all, true
	}
	t := op.ConstantOf(n.Input(1))
	if t == nil || t.Len()%2 != 0 || int64(place) >= t.Len()/2 {
		return all, false
	}
	half := int(t.Len() / 2)
	switch t.DType {
	case onnx.Float:
		return [2]float64{float64(t.Float32s()[place]), float64(t.Float32s()[half+place])}, true
	case onnx.Double:
		return [2]float64{onnx.View[float64](t)[place], onnx.View[float64](t)[half+place]}, true
	}
	return all, false
}

// sourceCoordinate is where element i of the output lies in the input.
func sourceCoordinate(mode string, i, scale float64, in, out int64, region [2]float64) (float64, bool) {
	last := float64(in - 1)
	switch mode {
	case "half_pixel":
		return (i+0.5)/scale - 0.5, true
	case "half_pixel_symmetric":
		whole := scale * float64(in)
		return float64(in)/2*(1-float64(out)/whole) + (i+0.5)/scale - 0.5, true
	case "pytorch_half_pixel":
		if out <= 1 {
			return 0, true
		}
		return (i+0.5)/scale - 0.5, true
	case "tf_half_pixel_for_nn":
		return (i + 0.5) / scale, true
	case "asymmetric":
		return i / scale, true
	case "align_corners":
		if out <= 1 {
			return 0, true
		}
		return i * last / float64(out-1), true
	case "tf_crop_and_resize":
		if out <= 1 {
			return (region[0] + region[1]) / 2 * last, true
		}
		return region[0]*last + i*(region[1]-region[0])*last/float64(out-1), true
	}
	return 0, false
}

// blocks reports whether each of in elements is repeated k times.
func (m interpolation) blocks(in int64) (k int64, ok bool) {
	if in == 0 || len(m) == 0 || int64(len(m))%in != 0 {
		return 0, false
	}
	k = int64(len(m)) / in
	for i, taps := range m {
		for _, t := range taps {
			if t.weight != 0 && (t.at != int64(i)/k || t.weight != 1) {
				return 0, false
			}
		}
		if len(taps) == 0 {
			return 0, false
		}
	}
	return k, true
}

// matrix is the interpolation as a matrix [out, in].
func (m interpolation) matrix(in int64) *onnx.Tensor {
	t := onnx.NewTensor(onnx.Float, int64(len(m)), in)
	v := t.Float32s()
	for i, taps := range m {
		for _, tap := range taps {
			v[int64(i)*in+tap.at] += float32(tap.weight)
		}
	}
	return t
}
