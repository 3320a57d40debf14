package metric

import "math"

// SSIM is the mean structural similarity of two pictures whose range is 1, as planes of height rows of width samples: Gaussian
// windows of 11x11 with a standard deviation of 1.5 that lie inside the picture, constants 0.01 and 0.03 (Wang, Bovik, Sheikh,
// Simoncelli, IEEE TIP 13(4) 2004); over planes it is the mean. Sides below 11 take one window that covers them. It is NaN
// when sizes do not agree or a value is NaN.
func SSIM(a, b []float32, height, width int) float64 {
	n := height * width
	if height < 1 || width < 1 || len(a) != len(b) || len(a) == 0 || len(a)%n != 0 {
		return math.NaN()
	}
	down, across := gaussian(min(height, 11)), gaussian(min(width, 11))
	sum := 0.0
	for at := 0; at < len(a); at += n {
		sum += ssimPlane(a[at:at+n], b[at:at+n], width, down, across)
	}
	return sum / float64(len(a)/n)
}

// gaussian is a window of n samples whose sum is 1.
func gaussian(n int) []float64 {
	w, sum := make([]float64, n), 0.0
	for i := range w {
		d := float64(i) - float64(n-1)/2
		w[i] = math.Exp(-d * d / (2 * 1.5 * 1.5))
		sum += w[i]
	}
	for i := range w {
		w[i] /= sum
	}
	return w
}

func ssimPlane(a, b []float32, width int, down, across []float64) float64 {
	const c1, c2 = 0.01 * 0.01, 0.03 * 0.03
	type moments struct{ a, b, aa, bb, ab float64 }
	height, columns := len(a)/width, width-len(across)+1
	rows := make([]moments, height*columns) // windowed along rows
	for i := range height {
		for j := range columns {
			var m moments
			for k, w := range across {
				x, y := float64(a[i*width+j+k]), float64(b[i*width+j+k])
				m.a += w * x
				m.b += w * y
				m.aa += w * x * x
				m.bb += w * y * y
				m.ab += w * x * y
			}
			rows[i*columns+j] = m
		}
	}
	sum, count := 0.0, 0
	for i := range height - len(down) + 1 {
		for j := range columns {
			var m moments
			for k, w := range down {
				r := rows[(i+k)*columns+j]
				m.a += w * r.a
				m.b += w * r.b
				m.aa += w * r.aa
				m.bb += w * r.bb
				m.ab += w * r.ab
			}
			va, vb, cov := m.aa-m.a*m.a, m.bb-m.b*m.b, m.ab-m.a*m.b
			sum += (2*m.a*m.b + c1) * (2*cov + c2) / ((m.a*m.a + m.b*m.b + c1) * (va + vb + c2))
			count++
		}
	}
	return sum / float64(count)
}
