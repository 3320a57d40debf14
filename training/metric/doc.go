// Package metric measures how far a result is from what was wanted.
//
//	before := metric.PSNR(clean.Pix, noisy.Pix)
//	after := metric.PSNR(clean.Pix, restored.Pix)
//	if math.IsNaN(after) {
//		return errors.New("the run diverged")
//	}
//	fmt.Printf("%.2f dB before, %.2f dB after\n", before, after)
package metric
