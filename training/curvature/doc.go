// Package curvature measures a symmetric matrix, the Hessian of a loss for one, by products with vectors alone: the ends of its
// spectrum by the method of Lanczos, its trace by that of Hutchinson, and its Frobenius norm.
//
//	ends, err := curvature.Lanczos(n, product, curvature.LanczosConfig{})
//	if err != nil {
//		return err
//	}
//	fmt.Println(ends.Largest, ends.LargestError) // sharpness, and how far it is off at most
package curvature

// Product gives the matrix times a vector, which it does not keep.
type Product func(v []float64) ([]float64, error)
