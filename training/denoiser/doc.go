// Package denoiser removes noise from pictures by published methods that learn nothing: block matching (BM3D) and total
// variation. They are what learned methods are held against.
//
//	x := denoiser.Planes{Pix: noisy, Channels: 3, Height: h, Width: w}
//	clean, err := denoiser.BM3D(x, 0.1)
//	smooth, err := denoiser.TV(x, denoiser.TVConfig{Weight: 0.05})
package denoiser
