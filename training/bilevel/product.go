package bilevel

import (
	"runtime"
	"sync"
	"sync/atomic"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"
	"gonum.org/v1/gonum/blas/blas64"
)

// multiply is dst = a b, for a of m rows by k columns and b of k by n.
func multiply[T Float](dst, a, b []T, m, k, n int) {
	product(dst, a, b, m, n, [4]int{m, k, k, n}, blas.NoTrans, blas.NoTrans, 0)
}

// multiplyT is dst = a bᵀ, for a of m rows by k columns and b of n by k.
func multiplyT[T Float](dst, a, b []T, m, k, n int) {
	product(dst, a, b, m, n, [4]int{m, k, n, k}, blas.NoTrans, blas.Trans, 0)
}

// transposeMultiply is dst = aᵀ b, for a of k rows by m columns and b of k by n.
func transposeMultiply[T Float](dst, a, b []T, m, k, n int) {
	product(dst, a, b, m, n, [4]int{k, m, k, n}, blas.Trans, blas.NoTrans, 0)
}

// transposeMultiplyAdd is dst += aᵀ b.
func transposeMultiplyAdd[T Float](dst, a, b []T, m, k, n int) {
	product(dst, a, b, m, n, [4]int{k, m, k, n}, blas.Trans, blas.NoTrans, 1)
}

// product is dst = op(a) op(b) + keep dst; stored is the rows and columns of a and b as they lie in memory.
func product[T Float](dst, a, b []T, m, n int, stored [4]int, ta, tb blas.Transpose, keep T) {
	if m == 0 || n == 0 {
		return
	}
	if len(a) == 0 || len(b) == 0 { // an empty sum
		if keep == 0 {
			clear(dst[:m*n])
		}
		return
	}
	switch dst := any(dst).(type) {
	case []float64:
		of := func(d []float64, r, c int) blas64.General {
			return blas64.General{Rows: r, Cols: c, Stride: c, Data: d}
		}
		blas64.Gemm(ta, tb, 1, of(any(a).([]float64), stored[0], stored[1]), of(any(b).([]float64), stored[2], stored[3]), float64(keep), of(dst, m, n))
	case []float32:
		of := func(d []float32, r, c int) blas32.General {
			return blas32.General{Rows: r, Cols: c, Stride: c, Data: d}
		}
		blas32.Gemm(ta, tb, 1, of(any(a).([]float32), stored[0], stored[1]), of(any(b).([]float32), stored[2], stored[3]), float32(keep), of(dst, m, n))
	}
}

// parallel calls of each number below n once, on as many goroutines as there are processors; what f writes must not depend on order.
func parallel(n int, f func(i int)) {
	workers := min(n, runtime.GOMAXPROCS(0))
	if workers <= 1 {
		for i := range n {
			f(i)
		}
		return
	}
	var next atomic.Int64
	var all sync.WaitGroup
	for range workers {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				f(i)
			}
		})
	}
	all.Wait()
}

// convert is a copy in another type.
func convert[To, From Float](from []From) []To {
	to := make([]To, len(from))
	for i, v := range from {
		to[i] = To(v)
	}
	return to
}
