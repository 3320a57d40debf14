// Package analysis builds denoisers from a learned analysis operator W as ONNX models of standard operators: each patch y of a
// picture becomes argmin_x 1/2 |x - y|^2 + beta |W x|_1, and overlapping patches are averaged (Patches); or the picture as a whole
// does, W being convolutions (Filters). The problem is solved on its dual, min |y - W^T z|^2 over |z_i| <= beta, by the accelerated
// projected gradient (Beck, Teboulle 2009), x = y - W^T z, in a fixed number of iterations or until the duality gap is small.
//
//	m, err := analysis.Patches{Operator: analysis.Operator{Rows: 64, Columns: 64, W: w}, Beta: 0.1}.Build(0)
//	if err != nil {
//		return err
//	}
//	// inputs image [N,C,H,W] float, of any size from a patch's on, and beta, a scalar; output denoised
package analysis
