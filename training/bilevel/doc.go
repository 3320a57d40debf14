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
// Solution.Ties names the rows that it does not decide. Memory is some ten arrays of samples by rows: hand over batches, not all patches of
// a picture.
//
// Train learns W, free or of a Form, from Pairs:
//
//	c := bilevel.TrainConfig{Form: bilevel.Free{Rows: 64, Cols: 64}, Start: bilevel.CentredIdentity, Rule: bilevel.Adam, Steps: 10000}
//	learned, err := bilevel.Train(ctx, pairs, c, bilevel.Run{Checkpoint: "w.safetensors"})
//
// The papers' full texts were not at hand. From the authors' code are: the lower problem, its dual and the closed form; β kept at 1 while a
// free W is trained, which absorbs it; the centred identity as a start; batches of 5 and a rate of 1e-3 without momentum or constraint;
// over-relaxation by 1.8 in ADMM. The closed form was derived anew and checked numerically. What is not theirs: screening in place of a
// threshold of 1e-4 on |Wx|; the pseudo-inverse's cut-off of 1e-8 in place of 1e-15; steps on the active set, and an interior point method, that make solutions exact;
// β learned with W; orthonormal rows, tight frames and convolutions; heavy ball and Adam; the start's scale of 0.1, where theirs is 0.01;
// and Inverse, the problem with a linear map and groups of rows, which they leave as future work.
package bilevel
