package degrade

import (
	"fmt"
	"math"

	"graft/onnx"
	"graft/onnx/op"
	"graft/training/setting"
)

// fourier is magnetic resonance imaging with one coil, simplified: columns of the two-dimensional Fourier transform, the lowest
// frequencies all and others by chance. Y is [2,C,H,W], the real and the imaginary part, 0 where nothing is measured; the transform
// is orthonormal, so that an error there is as large as in the picture.
var fourier = Row{Name: "fourier", Doc: "some columns of the Fourier transform, as in magnetic resonance imaging",
	Settings: []setting.Setting{
		{Name: "measured", Usage: "fraction of the columns", Default: 0.25, Low: 0.01, High: 1.01},
		{Name: "center", Usage: "fraction of the columns that is always measured, of the lowest frequencies", Default: 0.08, High: 1.01},
	},
	Make: func(v setting.Values, clean *onnx.Tensor, seed uint64) (*Observation, error) {
		height, width := clean.Dims[2], clean.Dims[3]
		if height > 2048 || width > 2048 {
			return nil, fmt.Errorf("%dx%d pixels: sides of at most 2048 are transformed", width, height)
		}
		measured := columns(int(width), v["measured"], v["center"], seed)
		rowCos, rowSin := waves(int(height))
		columnCos, columnSin := waves(int(width))
		graph := func(b *op.Builder, x *onnx.Value) *onnx.Value {
			constant := func(t *onnx.Tensor) *onnx.Value { return b.Const(t.Clone()) }
			c, s := b.MatMul(x, constant(columnCos)), b.MatMul(x, constant(columnSin))
			re := b.Sub(b.MatMul(constant(rowCos), c), b.MatMul(constant(rowSin), s))
			im := b.Neg(b.Add(b.MatMul(constant(rowCos), s), b.MatMul(constant(rowSin), c)))
			return b.Mul(b.Concat(0, re, im), constant(measured))
		}
		y, plain := onnx.NewTensor(onnx.Float, 2, clean.Dims[1], height, width), onnx.NewTensor(onnx.Float, clean.Dims...)
		n := int(height * width)
		for ch := range int(clean.Dims[1]) {
			x := reals(clean.Float32s()[ch*n : (ch+1)*n])
			c, s := times(x, reals(columnCos.Float32s()), int(width)), times(x, reals(columnSin.Float32s()), int(width))
			rc, rs := reals(rowCos.Float32s()), reals(rowSin.Float32s())
			cc, ss, cs, sc := times(rc, c, int(height)), times(rs, s, int(height)), times(rc, s, int(height)), times(rs, c, int(height))
			re, im := y.Float32s()[ch*n:(ch+1)*n], y.Float32s()[(int(clean.Dims[1])+ch)*n:][:n]
			for i := range n {
				m := measured.Float32s()[i%int(width)]
				re[i], im[i] = m*float32(cc[i]-ss[i]), -m*float32(cs[i]+sc[i])
			}
			copy(plain.Float32s()[ch*n:(ch+1)*n], zeroFilled(re, im, rc, rs, reals(columnCos.Float32s()), reals(columnSin.Float32s()), int(height), int(width)))
		}
		return &Observation{Y: y, Plain: plain, Graph: graph}, nil
	}}

// waves are the cosines and sines of an orthonormal Fourier transform of n samples.
func waves(n int) (cosines, sines *onnx.Tensor) {
	cosines, sines = onnx.NewTensor(onnx.Float, int64(n), int64(n)), onnx.NewTensor(onnx.Float, int64(n), int64(n))
	scale := 1 / math.Sqrt(float64(n))
	for k := range n {
		for i := range n {
			sin, cos := math.Sincos(2 * math.Pi * float64(k*i%n) / float64(n))
			cosines.Float32s()[k*n+i], sines.Float32s()[k*n+i] = float32(scale*cos), float32(scale*sin)
		}
	}
	return cosines, sines
}

// columns says which are measured: [1,1,1,W] of ones and zeros. Frequency 0 is column 0; k and W-k are the same frequency.
func columns(width int, fraction, center float64, seed uint64) *onnx.Tensor {
	t := onnx.NewTensor(onnx.Float, 1, 1, 1, int64(width))
	kept := int(math.Round(center * float64(width)))
	others := max(0, width-kept)
	rest := 0.0
	if others > 0 {
		rest = max(0, fraction*float64(width)-float64(kept)) / float64(others)
	}
	for i, u := range uniform(int64(width), seed, "fourier") {
		if frequency := min(i, width-i); 2*frequency <= kept && kept > 0 || float64(u) < rest {
			t.Float32s()[i] = 1
		}
	}
	return t
}

func reals(x []float32) []float64 {
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = float64(v)
	}
	return out
}

// times is a product of matrices, of which inner is the side that they share.
func times(a, b []float64, inner int) []float64 {
	rows, columns := len(a)/inner, len(b)/inner
	out := make([]float64, rows*columns)
	for i := range rows {
		row := out[i*columns : (i+1)*columns]
		for k, x := range a[i*inner : (i+1)*inner] {
			for j, y := range b[k*columns : (k+1)*columns] {
				row[j] += x * y
			}
		}
	}
	return out
}

// zeroFilled is the inverse transform of what is measured, its real part.
func zeroFilled(re, im []float32, rowCos, rowSin, columnCos, columnSin []float64, height, width int) []float32 {
	a, b := reals(re), reals(im)
	// The waves are symmetric: x = C (re Cw - im Sw) - S (re Sw + im Cw), with the signs of the inverse.
	p, q := times(a, columnCos, width), times(b, columnSin, width)
	r, s := times(a, columnSin, width), times(b, columnCos, width)
	for i := range p {
		p[i] -= q[i]
		r[i] += s[i]
	}
	u, v := times(rowCos, p, height), times(rowSin, r, height)
	out := make([]float32, len(u))
	for i := range out {
		out[i] = float32(u[i] - v[i])
	}
	return out
}
