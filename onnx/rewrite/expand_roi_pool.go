package rewrite

import (
	"graft/onnx"
	"graft/onnx/op"
)

// MaxRoiPool is, for each region [image, x1, y1, x2, y2] and each of its bins, the largest element of x in it. Along an axis a
// region is n = max(1, round(end) - round(begin) + 1) elements long, and bin p of P has those from floor(p n/P) up to
// ceil((p+1) n/P). x is differentiated; regions are rounded.
func MaxRoiPool(b *op.Builder, n *onnx.Node) []*onnx.Value {
	pooled := onnx.AttrOr[[]int64](n, "pooled_shape", nil)
	if len(pooled) != 2 {
		b.Fail("MaxRoiPool: pooled_shape %v, wants height and width", pooled)
		return nil
	}
	s, ok := newRegions(b, n, pooled[0], pooled[1])
	if !ok {
		return nil
	}
	down, across := s.whole(2, 4, 2, s.h), s.whole(1, 3, 3, s.w)
	if b.Err() != nil {
		return nil
	}
	images := b.Gather(s.rois, b.Ints(0), 1)
	return []*onnx.Value{s.maximum(s.elements(images, down.taps[0].at, across.taps[0].at), down, across)}
}

// whole gives the elements along an axis of x in each bin. begin and end are the columns of the regions that bound it.
func (s regions) whole(begin, end int64, axis int, bins int64) roiAxis {
	k := func(v float64) *onnx.Value { return s.Scalar(s.x, v) }
	rounded := func(column int64) *onnx.Value { // halves away from zero
		v := s.Mul(s.Gather(s.rois, s.Ints(column), 1), k(s.scale))
		return s.Mul(s.Sign(v), s.Floor(s.Add(s.Abs(v), k(0.5))))
	}
	first := rounded(begin) // [R,1]
	length := s.Max(s.Add(s.Sub(rounded(end), first), k(1)), k(1))
	size := s.Cast(s.ShapeSlice(s.x, int64(axis), int64(axis+1)), s.x.Type.DType)
	each := s.Div(length, k(float64(bins)))
	number := s.Reshape(s.numbers(bins), 1, -1)
	bound := func(v *onnx.Value) *onnx.Value { return s.Min(s.Max(s.Add(v, first), k(0)), size) }
	lo := bound(s.Floor(s.Mul(number, each)))
	hi := bound(s.Ceil(s.Mul(s.Add(number, k(1)), each)))
	a := roiAxis{count: s.Sub(hi, lo)} // [R,bins]
	a.samples = s.most(a.count)
	at := s.Add(s.Unsqueeze(lo, 2), s.upTo(a.samples)) // [R,bins,samples]
	a.counts = s.Reshape(s.Less(at, s.Unsqueeze(hi, 2)), 0, -1)
	at = s.Reshape(s.Min(at, s.Sub(size, k(1))), 0, -1)
	a.taps = []weighted{{at: s.Cast(at, onnx.Int64)}}
	return a
}
