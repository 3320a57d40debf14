// Package denoiser removes noise from pictures and signals by published methods other than networks: what learned ones are held
// against. Baselines is a table of them, each with one weight, which Tune finds on clean and noisy examples.
//
//	x := denoiser.Planes{Pix: noisy, Channels: 3, Height: h, Width: w}
//	clean, err := denoiser.BM3D(x, 0.1)
//	smooth, err := denoiser.TV(x, denoiser.TVConfig{Weight: 0.05})
//
//	b, err := denoiser.FindBaseline("haar-cycle")
//	filter, err := b.Lines(denoiser.Given{Sigma: 0.1})
//	best, err := filter.Tune(train, noisyTrain, denoiser.Search{Start: b.Usual * 0.1})
//	y, err := filter.Each(noisyTest, best.Weight)
package denoiser
