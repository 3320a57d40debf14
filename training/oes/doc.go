// Package oes implements Optimal Eye Surgeon (arXiv 2406.05288): learn at initialization which few weights of an image
// generator to keep, then train only those on one noisy image. The sparse generator stops at the noise where the dense one
// goes on to draw it.
//
//	p := &oes.Problem{Network: model, Z: z, Noisy: noisy, Clean: clean, Region: region}
//	mask, err := p.LearnMask(ctx, oes.MaskConfig{Keep: 0.05, Steps: 3000}, run)
//	if err != nil {
//		return err
//	}
//	fit, err := p.Fit(ctx, oes.FitConfig{Steps: 2000, Rate: 1e-2, Mask: mask.Keep}, run)
//	// fit.Parameters are the trained weights by name, fit.Samples the curve of loss and PSNR
package oes
