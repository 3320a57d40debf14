package denoiser

import "math"

// blockTransform is m x m' of a block x.
func blockTransform(block []float32, m *[bmArea]float32) {
	var half [bmArea]float32
	for i := range bmBlock { // half = x m'
		x := block[i*bmBlock : (i+1)*bmBlock]
		for j := range bmBlock {
			row := m[j*bmBlock : (j+1)*bmBlock]
			sum := float32(0)
			for k, v := range x {
				sum += v * row[k]
			}
			half[i*bmBlock+j] = sum
		}
	}
	for i := range bmBlock { // m half
		row := m[i*bmBlock : (i+1)*bmBlock]
		for j := range bmBlock {
			sum := float32(0)
			for k, v := range row {
				sum += v * half[k*bmBlock+j]
			}
			block[i*bmBlock+j] = sum
		}
	}
}

// hadamard is the orthonormal Walsh-Hadamard transform over the n blocks of a group, its own inverse.
func hadamard(group []float32, n int) {
	for width := 1; width < n; width *= 2 {
		for from := 0; from < n; from += 2 * width {
			for b := from; b < from+width; b++ {
				x, y := group[b*bmArea:(b+1)*bmArea], group[(b+width)*bmArea:(b+width+1)*bmArea]
				for i := range x {
					x[i], y[i] = (x[i]+y[i])*math.Sqrt2/2, (x[i]-y[i])*math.Sqrt2/2
				}
			}
		}
	}
}

// cosines is the orthonormal cosine transform (DCT-II) of eight samples, cosinesBack its inverse.
var cosines, cosinesBack = func() (m, back [bmArea]float32) {
	for k := range bmBlock {
		scale := math.Sqrt(2. / bmBlock)
		if k == 0 {
			scale = math.Sqrt(1. / bmBlock)
		}
		for i := range bmBlock {
			m[k*bmBlock+i] = float32(scale * math.Cos(math.Pi*(float64(i)+0.5)*float64(k)/bmBlock))
			back[i*bmBlock+k] = m[k*bmBlock+i]
		}
	}
	return m, back
}()

// window is Kaiser's, with beta 2, over a block: its border counts less.
var window = func() (w [bmArea]float32) {
	bessel := func(x float64) float64 { // of the first kind and order 0, modified
		sum, term := 1.0, 1.0
		for k := 1; k < 30; k++ {
			term *= x / 2 / float64(k)
			sum += term * term
		}
		return sum
	}
	side := func(i int) float64 {
		r := 2*float64(i)/(bmBlock-1) - 1
		return bessel(2*math.Sqrt(1-r*r)) / bessel(2)
	}
	for i := range bmBlock {
		for j := range bmBlock {
			w[i*bmBlock+j] = float32(side(i) * side(j))
		}
	}
	return w
}()

// wavelets is the biorthogonal spline wavelet 1.5 of eight samples around a circle, three levels deep, its rows of length 1;
// waveletsBack is its inverse.
var wavelets, waveletsBack = func() (m, back [bmArea]float32) {
	low := [10]float64{0.01657281518405971, -0.01657281518405971, -0.12153397801643787, 0.12153397801643787, math.Sqrt2 / 2,
		math.Sqrt2 / 2, 0.12153397801643787, -0.12153397801643787, -0.01657281518405971, 0.01657281518405971}
	var rows, inverse [bmBlock][bmBlock]float64
	for unit := range bmBlock {
		var x [bmBlock]float64
		x[unit] = 1
		for n := bmBlock; n > 1; n /= 2 {
			var y [bmBlock]float64
			for i := range n / 2 {
				for k, h := range low {
					y[i] += h * x[(2*i+k-4+2*n)%n]
				}
				y[n/2+i] = (x[2*i] - x[2*i+1]) * math.Sqrt2 / 2
			}
			copy(x[:n], y[:n])
		}
		for i, v := range x {
			rows[i][unit] = v
		}
	}
	for i := range rows {
		length := 0.0
		for _, v := range rows[i] {
			length += v * v
		}
		for j := range rows[i] {
			rows[i][j] /= math.Sqrt(length)
			m[i*bmBlock+j] = float32(rows[i][j])
		}
		inverse[i][i] = 1
	}
	for i := range rows { // Gauss and Jordan, with pivots
		pivot := i
		for k := i; k < bmBlock; k++ {
			if math.Abs(rows[k][i]) > math.Abs(rows[pivot][i]) {
				pivot = k
			}
		}
		rows[i], rows[pivot] = rows[pivot], rows[i]
		inverse[i], inverse[pivot] = inverse[pivot], inverse[i]
		by := rows[i][i]
		for j := range bmBlock {
			rows[i][j] /= by
			inverse[i][j] /= by
		}
		for k := range rows {
			if by := rows[k][i]; k != i {
				for j := range bmBlock {
					rows[k][j] -= by * rows[i][j]
					inverse[k][j] -= by * inverse[i][j]
				}
			}
		}
	}
	for i := range inverse {
		for j, v := range inverse[i] {
			back[i*bmBlock+j] = float32(v)
		}
	}
	return m, back
}()
