package analysis

import (
	"graft/onnx"
	"graft/onnx/op"
)

// cutter cuts planes into patches and puts these together again: plane by plane, row of patches by row, and of a row chunk by
// chunk. What a chunk works on stays in cache; of a plane there is, beside itself, one strip of the patches' height for every row
// of them.
type cutter struct {
	side, stride, chunk int64

	rows, columns axis
	weight        *onnx.Value // [H,W]: one over the number of patches that cover a pixel
	picked        *onnx.Value // [chunks * patches, side]: columns of the picture by patch; those beyond the last patch are its
	put           *onnx.Value // [chunks * patches * side, 1]: where they go back to; those beyond the last patch behind the picture
	chunks        *onnx.Value // the shape [chunks, patches, pixels] of a row of patches
	strip         *onnx.Value // zeros [W+1, side]
}

// axis is where patches begin along an axis, and what they cover.
type axis struct {
	size    *onnx.Value // int64 [1]
	begins  *onnx.Value // int64 [count]
	covered *onnx.Value // int64 [count, side]
	targets *onnx.Value // the same as indices of ScatterND, [count * side, 1]
	times   *onnx.Value // float [size]: by how many patches each place is covered
}

// solver makes x of y, a block of patches, as nodes of a builder.
type solver func(b *op.Builder, y *onnx.Value) *onnx.Value

// eachPatch is the picture [N,C,H,W] with every patch, a row of [patches, pixels], replaced by what solve makes of it. Pixels of
// a patch come column by column.
func (c *cutter) eachPatch(b *op.Builder, image *onnx.Value, solve solver) *onnx.Value {
	c.rows, c.columns = c.axis(b, b.ShapeSlice(image, 2, 3)), c.axis(b, b.ShapeSlice(image, 3, 4))
	c.weight = b.Reciprocal(b.Mul(b.Unsqueeze(c.rows.times, 1), c.columns.times))
	c.divide(b)
	c.strip = zeros(b, onnx.Float, b.Add(c.columns.size, b.Ints(1)), b.Ints(c.side))
	canvas := zeros(b, onnx.Float, c.rows.size, c.columns.size)
	height, width := onnx.Dim{Symbol: "H"}, onnx.Dim{Symbol: "W"}
	planes := b.ReshapeTo(image, b.Concat(0, b.Ints(-1), c.rows.size, c.columns.size))
	y := each(b, planes, onnx.Shape{height, width}, func(b *op.Builder, plane *onnx.Value) *onnx.Value {
		strips := each(b, c.rows.covered, onnx.NewShape(c.side), func(b *op.Builder, rows *onnx.Value) *onnx.Value {
			return c.row(b, b.Gather(plane, rows, 0), solve)
		})
		sums := b.ScatterND(canvas, c.rows.targets, b.ReshapeTo(strips, b.Concat(0, b.Ints(-1), c.columns.size)), "add")
		return b.Mul(sums, c.weight)
	})
	return b.ReshapeTo(y, b.Shape(image))
}

// row is a strip of the picture, [side,W], as the sum of what its patches become.
func (c *cutter) row(b *op.Builder, strip *onnx.Value, solve solver) *onnx.Value {
	n := c.side * c.side
	patches := b.ReshapeTo(b.Gather(b.Transpose(strip, 1, 0), c.picked, 0), c.chunks)
	x := each(b, patches, onnx.Shape{onnx.UnknownDim, {Size: n}}, solve)
	sums := b.ScatterND(c.strip, c.put, b.Reshape(x, -1, c.side), "add")
	return b.Transpose(b.Slice(sums, op.SliceSpec{End: -1}), 1, 0)
}

// axis finds the patches along an axis: every stride places, and one that ends where the axis does. Along an axis shorter than a
// patch there are none: a runtime stops at the negative size.
func (c *cutter) axis(b *op.Builder, size *onnx.Value) axis {
	last := b.Sub(size, b.Ints(c.side))
	begins := b.CumSum(b.Concat(0, b.Ints(0), filled(b, last, onnx.FromSlice([]int64{1}))), 0, false, false)
	if c.stride > 1 {
		begins = b.Concat(0, b.Slice(begins, op.SliceSpec{End: -1, Step: c.stride}), last)
	}
	side := make([]int64, c.side)
	for i := range side {
		side[i] = int64(i)
	}
	a := axis{size: size, begins: begins, covered: b.Add(b.Unsqueeze(begins, 1), b.Ints(side...))}
	flat := b.Reshape(a.covered, -1)
	a.targets = b.Unsqueeze(flat, 1)
	ones := filled(b, b.Shape(flat), onnx.FromSlice([]float32{1}))
	a.times = b.ScatterElements(zeros(b, onnx.Float, size), flat, ones, 0, "add")
	return a
}

// divide cuts a row of patches into chunks of the same size, as few as there can be.
func (c *cutter) divide(b *op.Builder) {
	over := func(a, d *onnx.Value) *onnx.Value { return b.Div(b.Sub(b.Add(a, d), b.Ints(1)), d) }
	count := b.ShapeSlice(c.columns.covered, 0, 1)
	chunks := over(count, b.Ints(c.chunk))
	each := over(count, chunks)
	c.chunks = b.Concat(0, chunks, each, b.Ints(c.side*c.side))
	number := b.CumSum(filled(b, b.Mul(chunks, each), onnx.FromSlice([]int64{1})), 0, true, false)
	c.picked = b.Gather(c.columns.covered, b.Min(number, b.Sub(count, b.Ints(1))), 0)
	inside := b.Unsqueeze(b.Less(number, count), 1)
	c.put = b.Unsqueeze(b.Reshape(b.Where(inside, c.picked, c.columns.size), -1), 1)
}

// each is what body makes of every element of xs along its first axis, stacked.
func each(b *op.Builder, xs *onnx.Value, element onnx.Shape, body func(b *op.Builder, x *onnx.Value) *onnx.Value) *onnx.Value {
	if b.Err() != nil {
		return nil
	}
	g := onnx.NewGraph("each")
	y := body(b.Inside(g), g.AddInput("", onnx.TensorType{DType: xs.Type.DType, Shape: element}))
	if b.Err() != nil {
		return nil
	}
	g.AddOutput(y, "")
	return b.Scan(g, nil, []*onnx.Value{xs}, op.ScanAttrs{})[0]
}

// filled is a tensor of one number.
func filled(b *op.Builder, dims *onnx.Value, value *onnx.Tensor) *onnx.Value {
	return b.ConstantOfShape(dims, value)
}

// zeros is a tensor whose shape is given axis by axis.
func zeros(b *op.Builder, of onnx.DataType, dims ...*onnx.Value) *onnx.Value {
	return filled(b, b.Concat(0, dims...), onnx.NewTensor(of, 1))
}
