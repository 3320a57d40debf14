package rewrite

import (
	"graft/onnx"
	"graft/onnx/op"
)

// RoiAlign is, for each region and each of its bins, the mean or the maximum of x, interpolated linearly, at sampling_ratio
// times sampling_ratio places. Places more than one element outside give zero. sampling_ratio 0, which makes the number of
// places depend on the region, is not written. x and the regions' coordinates are differentiated.
func RoiAlign(b *op.Builder, n *onnx.Node) []*onnx.Value {
	x, rois, at := n.Input(0), n.Input(1), n.Input(2)
	s := roiSampling{Builder: b, n: n, x: x, rois: rois, ratio: onnx.AttrOr(n, "sampling_ratio", int64(0)),
		h: onnx.AttrOr(n, "output_height", int64(1)), w: onnx.AttrOr(n, "output_width", int64(1))}
	if s.ratio < 1 {
		b.Fail("RoiAlign: sampling_ratio 0 makes the number of samples depend on the regions: set it")
		return nil
	}
	if s.ratio*s.h > 1<<20 || s.ratio*s.w > 1<<20 || !x.Type.Shape.Ranked() || len(x.Type.Shape) != 4 {
		b.Fail("RoiAlign: x is %v, bins %dx%d with %d samples a side", x.Type, s.h, s.w, s.ratio)
		return nil
	}
	down, across := s.axis(1, 3, 2, s.h), s.axis(0, 2, 3, s.w)
	// Rows of all elements of all samples, [N H W, C]; the region's sample first.
	rows := b.Reshape(b.Transpose(x, 0, 2, 3, 1), -1, s.channels())
	first := b.Reshape(b.Mul(b.Cast(at, onnx.Int64), b.Mul(b.ShapeSlice(x, 2, 3), b.ShapeSlice(x, 3, 4))), -1, 1, 1)
	maximum := onnx.AttrOr(n, "mode", "avg") == "max"
	var parts []*onnx.Value
	for _, i := range down {
		for _, j := range across {
			index := b.Add(first, b.Add(b.Mul(b.Reshape(i.at, 0, -1, 1), b.ShapeSlice(x, 3, 4)), b.Reshape(j.at, 0, 1, -1)))
			weight := b.Mul(b.Reshape(i.weight, 0, -1, 1), b.Reshape(j.weight, 0, 1, -1))
			parts = append(parts, b.Mul(b.Gather(rows, index, 0), b.Unsqueeze(weight, -1))) // [R,h s,w s,C]
		}
	}
	var y *onnx.Value
	if maximum { // of the weighted elements, as the operator has it, not of the interpolated values
		y = b.Max(parts...)
	} else {
		y = b.Sum(parts...)
	}
	bins := b.Reshape(y, -1, s.h, s.ratio, s.w, s.ratio, s.channels())
	if maximum {
		y = b.ReduceMax(bins, false, 2, 4)
	} else {
		y = b.ReduceMean(bins, false, 2, 4)
	}
	return []*onnx.Value{b.Transpose(y, 0, 3, 1, 2)}
}

type roiSampling struct {
	*op.Builder
	n           *onnx.Node
	x, rois     *onnx.Value
	ratio, h, w int64
}

func (s *roiSampling) channels() int64 {
	if d := s.x.Type.Shape[1]; d.Known() {
		return d.Size
	}
	s.Fail("RoiAlign: the number of channels of x is unknown")
	return 1
}

// axis gives the two elements beside each place along an axis of x and their weights, [R, bins ratio] each. begin and end
// are the columns of the regions that bound it.
func (s *roiSampling) axis(begin, end int64, axis int, bins int64) []weighted {
	k := func(v float64) *onnx.Value { return s.Scalar(s.x, v) }
	scale := float64(onnx.AttrOr(s.n, "spatial_scale", float32(1)))
	half := onnx.AttrOr(s.n, "coordinate_transformation_mode", "half_pixel") == "half_pixel"
	offset := 0.0
	if half {
		offset = 0.5
	}
	lo := s.Sub(s.Mul(s.Gather(s.rois, s.Ints(begin), 1), k(scale)), k(offset))
	hi := s.Sub(s.Mul(s.Gather(s.rois, s.Ints(end), 1), k(scale)), k(offset))
	length := s.Sub(hi, lo) // [R,1]
	if !half {
		length = s.Max(length, k(1))
	}
	places := onnx.NewTensor(onnx.Double, 1, bins*s.ratio)
	for i := range places.Len() {
		onnx.View[float64](places)[i] = (float64(i) + 0.5) / float64(bins*s.ratio)
	}
	if s.Err() != nil {
		return nil
	}
	p := s.Add(lo, s.Mul(length, s.Cast(s.Const(places), s.x.Type.DType)))
	size := s.Cast(s.ShapeSlice(s.x, int64(axis), int64(axis+1)), s.x.Type.DType)
	in := s.Cast(s.And(s.GreaterOrEqual(p, k(-1)), s.LessOrEqual(p, size)), s.x.Type.DType)
	last := s.Sub(size, k(1))
	p = s.Min(s.Max(p, k(0)), last)
	low := s.Floor(p)
	t := s.Sub(p, low)
	whole := func(v *onnx.Value) *onnx.Value { return s.Cast(v, onnx.Int64) }
	return []weighted{{whole(low), s.Mul(s.Sub(k(1), t), in)}, {whole(s.Min(s.Add(low, k(1)), last)), s.Mul(t, in)}}
}
