package rewrite

import (
	"math"

	"graft/onnx"
	"graft/onnx/op"
)

// RoiAlign is, for each region and each of its bins, the mean or the maximum of x, interpolated linearly, at sampling_ratio
// times sampling_ratio places. Places more than one element outside give zero. With sampling_ratio 0 a bin has as many places
// along an axis as its length, rounded up; there are then as many for every region as for the largest, and those that are too
// many do not count. x and the regions' coordinates are differentiated.
func RoiAlign(b *op.Builder, n *onnx.Node) []*onnx.Value {
	s, ok := newRegions(b, n, onnx.AttrOr(n, "output_height", int64(1)), onnx.AttrOr(n, "output_width", int64(1)))
	if !ok {
		return nil
	}
	a := roiAlign{regions: s, ratio: onnx.AttrOr(n, "sampling_ratio", int64(0)),
		half: onnx.AttrOr(n, "coordinate_transformation_mode", "half_pixel") == "half_pixel"}
	if a.ratio < 0 || a.ratio*s.h > 1<<20 || a.ratio*s.w > 1<<20 {
		b.Fail("RoiAlign: bins %dx%d with %d samples a side", s.h, s.w, a.ratio)
		return nil
	}
	down, across := a.axis(1, 3, 2, s.h), a.axis(0, 2, 3, s.w)
	maximum := onnx.AttrOr(n, "mode", "avg") == "max"
	var parts []*onnx.Value
	for _, i := range down.taps {
		for _, j := range across.taps {
			weight := b.Mul(b.Reshape(i.weight, 0, -1, 1), b.Reshape(j.weight, 0, 1, -1))
			parts = append(parts, b.Mul(s.elements(n.Input(2), i.at, j.at), b.Unsqueeze(weight, -1))) // [R,h s,w s,C]
		}
	}
	if !maximum {
		y := b.Sum(parts...)
		if down.count == nil {
			return []*onnx.Value{s.transposed(b.ReduceMean(s.bins(y, down.samples, across.samples), false, 2, 4))}
		}
		count := b.Max(b.Mul(down.count, across.count), b.Scalar(s.x, 1)) // [R,1]
		sum := b.ReduceSum(s.bins(y, down.samples, across.samples), false, 2, 4)
		return []*onnx.Value{s.transposed(b.Div(sum, b.Reshape(count, -1, 1, 1, 1)))}
	}
	y := b.Max(parts...) // of the weighted elements, as the operator has it, not of the interpolated values
	if down.count == nil {
		return []*onnx.Value{s.transposed(b.ReduceMax(s.bins(y, down.samples, across.samples), false, 2, 4))}
	}
	return []*onnx.Value{s.maximum(y, down, across)}
}

// regions is a pool of regions of x [N,C,H,W] into h times w bins.
type regions struct {
	*op.Builder
	x, rois  *onnx.Value
	scale    float64
	h, w     int64
	channels int64
	rows     *onnx.Value // the elements of x: [N H W, C]
}

func newRegions(b *op.Builder, n *onnx.Node, h, w int64) (s regions, ok bool) {
	x := n.Input(0)
	if len(x.Type.Shape) != 4 || !x.Type.Shape[1].Known() {
		b.Fail("%s: x is %v: its rank and its number of channels are wanted", n.Op, x.Type)
		return s, false
	}
	s = regions{Builder: b, x: x, rois: n.Input(1), scale: float64(onnx.AttrOr(n, "spatial_scale", float32(1))), h: h, w: w, channels: x.Type.Shape[1].Size}
	s.rows = b.Reshape(b.Transpose(x, 0, 2, 3, 1), -1, s.channels)
	return s, b.Err() == nil
}

// elements gathers the elements at the rows i [R,I] and columns j [R,J] of the images of the given numbers: [R,I,J,C].
func (s regions) elements(images, i, j *onnx.Value) *onnx.Value {
	width := s.ShapeSlice(s.x, 3, 4)
	first := s.Reshape(s.Mul(s.Cast(images, onnx.Int64), s.Mul(s.ShapeSlice(s.x, 2, 3), width)), -1, 1, 1)
	index := s.Add(first, s.Add(s.Mul(s.Reshape(i, 0, -1, 1), width), s.Reshape(j, 0, 1, -1)))
	return s.Gather(s.rows, index, 0)
}

// bins sorts [R,h s,w t,C] by bins: [R,h,s,w,t,C].
func (s regions) bins(v, down, across *onnx.Value) *onnx.Value {
	return s.ReshapeTo(v, s.Concat(0, s.Ints(-1, s.h), down, s.Ints(s.w), across, s.Ints(s.channels)))
}

func (s regions) transposed(v *onnx.Value) *onnx.Value { return s.Transpose(v, 0, 3, 1, 2) }

// maximum is the largest of a bin's elements that count, v [R,h s,w t,C]; zero where none does.
func (s regions) maximum(v *onnx.Value, down, across roiAxis) *onnx.Value {
	counts := s.And(s.Reshape(down.counts, 0, -1, 1), s.Reshape(across.counts, 0, 1, -1))
	v = s.Where(s.Unsqueeze(counts, -1), v, s.Scalar(s.x, -math.MaxFloat32))
	y := s.ReduceMax(s.bins(v, down.samples, across.samples), false, 2, 4) // [R,h,w,C]
	none := s.Scalar(s.x, 0)
	some := s.And(s.Reshape(s.Greater(down.count, none), 0, -1, 1, 1), s.Reshape(s.Greater(across.count, none), 0, 1, -1, 1))
	return s.transposed(s.Where(some, y, none))
}

// roiAxis is what is sampled along an axis of x, for R regions and each of their bins.
type roiAxis struct {
	taps    []weighted
	samples *onnx.Value // how many to a bin, [1]
	count   *onnx.Value // how many of them count, [R,1] or [R,bins] of x's element type; nil: all
	counts  *onnx.Value // whether each does, [R,bins samples]
}

// most is the largest entry of counts, and one at least, as a vector of one integer.
func (s regions) most(counts *onnx.Value) *onnx.Value {
	all := s.Concat(0, s.Reshape(counts, -1), s.Reshape(s.Scalar(s.x, 1), 1)) // there may be no region
	return s.Cast(s.ReduceMax(all, true, 0), onnx.Int64)
}

// upTo is 0, 1, ... below the only entry of count, in x's element type.
func (s regions) upTo(count *onnx.Value) *onnx.Value {
	if s.Err() != nil {
		return nil
	}
	return s.Cast(s.Range(s.Const(onnx.Scalar(int64(0))), s.Squeeze(count, 0), s.Const(onnx.Scalar(int64(1)))), s.x.Type.DType)
}

// numbers is 0, 1, ... below bins in x's element type: [1,bins,1].
func (s regions) numbers(bins int64) *onnx.Value {
	t := onnx.NewTensor(onnx.Double, 1, bins, 1)
	for i := range t.Len() {
		onnx.View[float64](t)[i] = float64(i)
	}
	if s.Err() != nil {
		return nil
	}
	return s.Cast(s.Const(t), s.x.Type.DType)
}

type roiAlign struct {
	regions
	half  bool // coordinates are of pixels' edges
	ratio int64
}

// axis gives the two elements beside each place along an axis of x and their weights. begin and end are the columns of the
// regions that bound it.
func (s roiAlign) axis(begin, end int64, axis int, bins int64) roiAxis {
	k := func(v float64) *onnx.Value { return s.Scalar(s.x, v) }
	offset := 0.0
	if s.half {
		offset = 0.5
	}
	lo := s.Sub(s.Mul(s.Gather(s.rois, s.Ints(begin), 1), k(s.scale)), k(offset))
	hi := s.Sub(s.Mul(s.Gather(s.rois, s.Ints(end), 1), k(s.scale)), k(offset))
	length := s.Sub(hi, lo) // [R,1]
	if !s.half {
		length = s.Max(length, k(1))
	}
	var a roiAxis
	var share *onnx.Value // of the length that lies before each place, [1,places] or [R,places]
	if s.ratio > 0 {
		a.samples = s.Ints(s.ratio)
		t := onnx.NewTensor(onnx.Double, 1, bins*s.ratio)
		for i := range t.Len() {
			onnx.View[float64](t)[i] = (float64(i) + 0.5) / float64(bins*s.ratio)
		}
		share = s.Cast(s.Const(t), s.x.Type.DType)
	} else {
		a.count = s.Max(s.Ceil(s.Div(length, k(float64(bins)))), k(0))
		a.samples = s.most(a.count)
		number, count := s.upTo(a.samples), s.Reshape(a.count, -1, 1, 1)
		within := s.Div(s.Add(number, k(0.5)), s.Max(count, k(1))) // of the bin, [R,1,samples]
		share = s.Reshape(s.Div(s.Add(s.numbers(bins), within), k(float64(bins))), 0, -1)
		a.counts = s.Reshape(s.And(s.Less(number, count), s.GreaterOrEqual(s.numbers(bins), k(0))), 0, -1)
	}
	p := s.Add(lo, s.Mul(length, share))
	size := s.Cast(s.ShapeSlice(s.x, int64(axis), int64(axis+1)), s.x.Type.DType)
	inside := s.And(s.GreaterOrEqual(p, k(-1)), s.LessOrEqual(p, size))
	if a.counts != nil {
		inside = s.And(inside, a.counts)
	}
	in := s.Cast(inside, s.x.Type.DType)
	last := s.Sub(size, k(1))
	p = s.Min(s.Max(p, k(0)), last)
	low := s.Floor(p)
	t := s.Sub(p, low)
	whole := func(v *onnx.Value) *onnx.Value { return s.Cast(v, onnx.Int64) }
	a.taps = []weighted{{whole(low), s.Mul(s.Sub(k(1), t), in)}, {whole(s.Min(s.Add(low, k(1)), last)), s.Mul(t, in)}}
	return a
}
