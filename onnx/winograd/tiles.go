// Package winograd writes convolutions by 3x3 kernels, of stride 1, with 16 multiplications for every 2x2 outputs in the
// place of 36: Winograd's F(2x2, 3x3), in the form of Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks"
// (arXiv 1509.09308). With g a kernel, d a tile of 4x4 inputs and . the product of elements,
//
//	y = A' [(G g G') . (B' d B)] A
//
// is the 2x2 outputs. Summed over channels the products of elements are 16 products of matrices, each over all tiles of the
// batch: where pictures are small, those are much larger than what a convolution multiplies picture by picture. Everything is
// made of standard operators. Sums are associated differently, and results agree to rounding: the error is that of the direct
// form, since all coefficients are 0, 1/4, 1/2 and 1.
package winograd

import (
	"graft/onnx"
	"graft/onnx/op"
)

const (
	side  = 4           // of a tile of inputs
	step  = 2           // from a tile to the next, and the side of its outputs
	taps  = 9           // of a kernel
	marks = side * side // of a tile
)

// The transforms of one axis.
var (
	tile   = [][]float64{{1, 0, -1, 0}, {0, 1, 1, 0}, {0, -1, 1, 0}, {0, 1, 0, -1}} // B'
	kernel = [][]float64{{1, 0, 0}, {.5, .5, .5}, {.5, -.5, .5}, {0, 0, 1}}         // G
	output = [][]float64{{1, 1, 1, 0}, {0, 1, -1, -1}}                              // A'
)

// Plane is the sizes of a convolution's outputs, and the padding of its inputs, zeros, in front and behind.
type Plane struct {
	Height, Width int64
	Begins, Ends  [2]int64
}

// inputs is the size of pictures that have such outputs.
func (p Plane) inputs() (h, w int64) {
	const reach = side - step
	return p.Height + reach - p.Begins[0] - p.Ends[0], p.Width + reach - p.Begins[1] - p.Ends[1]
}

// even is the plane whose outputs fill tiles.
func (p Plane) even() Plane {
	h, w := p.Height%step, p.Width%step
	return Plane{Height: p.Height + h, Width: p.Width + w, Begins: p.Begins, Ends: [2]int64{p.Ends[0] + h, p.Ends[1] + w}}
}

// both is the transform of two axes, by one matrix: the Kronecker product of m with itself.
func both(b *op.Builder, d onnx.DataType, m [][]float64) *onnx.Value {
	rows, cols := len(m), len(m[0])
	values := make([]float64, 0, rows*rows*cols*cols)
	for i := range rows {
		for j := range rows {
			for k := range cols {
				for l := range cols {
					values = append(values, m[i][k]*m[j][l])
				}
			}
		}
	}
	t := onnx.NewTensor(d, int64(rows*rows), int64(cols*cols))
	op.SetFloats(t, values)
	return b.Const(t)
}

func transposed(m [][]float64) [][]float64 {
	t := make([][]float64, len(m[0]))
	for i := range t {
		for _, row := range m {
			t[i] = append(t[i], row[i])
		}
	}
	return t
}

// reversed is m for kernels whose taps come in reverse order.
func reversed(m [][]float64) [][]float64 {
	r := make([][]float64, len(m))
	for i, row := range m {
		for j := range row {
			r[i] = append(r[i], row[len(row)-1-j])
		}
	}
	return r
}

// places puts the places of pictures x [N,C,h,w] outermost, with zeros around them: [H W, N C].
func places(b *op.Builder, x *onnx.Value, h, w int64, begins, ends [2]int64) *onnx.Value {
	x = b.Transpose(b.Reshape(x, -1, h*w), 1, 0)
	if begins == [2]int64{} && ends == [2]int64{} {
		return x
	}
	x = b.Pad(b.Reshape(x, h, w, -1), "constant", begins[0], begins[1], 0, ends[0], ends[1], 0)
	return b.Reshape(x, (h+begins[0]+ends[0])*(w+begins[1]+ends[1]), -1)
}

// maxParts is how many parts the rows of tiles are gone through in: of one part alone 16 numbers are held for every 4. In one part a
// step of ResNet-18 takes as long, and its peak is 1,410 MiB for 1,130.
const maxParts = 4

// parts cuts rows of tiles into parts: from and to for each.
func (p Plane) parts() (list [][2]int64) {
	rows := p.even().Height / step
	n := min(rows, maxParts)
	for i := range n {
		list = append(list, [2]int64{i * rows / n, (i + 1) * rows / n})
	}
	return list
}

// tiled is rows of tiles of n x n, a step apart, of x [h,w,N C], by the places in a tile: [n n, tiles N C].
func tiled(b *op.Builder, x *onnx.Value, n, w int64, rows [2]int64) *onnx.Value {
	var at []int64
	for i := range n {
		for j := range n {
			for y := rows[0]; y < rows[1]; y++ {
				for left := int64(0); left+n <= w; left += step {
					at = append(at, (y*step+i)*w+left+j)
				}
			}
		}
	}
	return b.Reshape(b.Gather(x, b.Ints(at...), 0), n*n, -1)
}

// picture puts the 2x2 outputs of tiles, of each part [4, tiles N C], into pictures [N,C,Height,Width].
func picture(b *op.Builder, parts []*onnx.Value, channels int64, p Plane) *onnx.Value {
	even := p.even()
	for i, rows := range p.parts() {
		parts[i] = b.Reshape(parts[i], step, step, rows[1]-rows[0], even.Width/step, -1)
		parts[i] = b.Reshape(b.Transpose(parts[i], 2, 0, 3, 1, 4), (rows[1]-rows[0])*step, even.Width, -1)
	}
	y := parts[0]
	if len(parts) > 1 {
		y = b.Concat(0, parts...)
	}
	if even != p {
		y = b.Slice(y, op.SliceSpec{Axis: 0, End: p.Height}, op.SliceSpec{Axis: 1, End: p.Width})
	}
	return b.Reshape(b.Transpose(b.Reshape(y, p.Height*p.Width, -1), 1, 0), -1, channels, p.Height, p.Width)
}
