// Package chart draws training curves, bars and heat maps as PNG and SVG: the same input gives the same bytes, colours are told apart
// by colour-blind readers, and nothing is read from outside.
//
//	psnr := chart.Panel{YLabel: "PSNR (dB)", Series: []chart.Series{{Name: "sparse", X: steps, Y: sparse}, {Name: "dense", X: steps, Y: dense}}}
//	loss := chart.Panel{XLabel: "step", YLabel: "loss", Log: true, Series: losses}
//	figure := chart.Figure{Title: "chelsea.png, noise 0.1", Panels: []chart.Panel{psnr, loss}}
//	png, err := figure.PNG()
//	if err != nil {
//		return err
//	}
//	svg, err := figure.SVG() // for an HTML page: takes the page's text colour
package chart
