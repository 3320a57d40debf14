// Package bilevel learns an operator W so that
//
//	x*(y) = argmin ½|x-y|² + β|Wx|₁
//
// denoises best: the supervised method (arXiv 2207.08939) and its closed-form gradient, BLORC (arXiv 2111.10858). Nothing is unrolled
// and nothing differentiated: the gradient follows from which products with W are 0.
//
//	w, err := bilevel.NewOperator(k, n, numbers)
//	if err != nil {
//		return err
//	}
//	s, err := bilevel.Solve(w, beta, noisy, bilevel.Config{}, nil) // signals of length n, one after the other
//	if err != nil {
//		return err
//	}
//	loss, g, err := s.HalfSquare(clean)
//	if err != nil {
//		return err
//	}
//	d, err := s.Gradient(g) // d.W, d.Beta, d.Y
//
// Solution.Gap is the certificate of a solution, Solution.Pattern the signs of Wx*, decided by what the gap proves and by no threshold;
// Solution.Ties names the rows that it does not decide.
package bilevel
