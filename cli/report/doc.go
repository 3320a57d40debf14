// Package report writes what a run did as one HTML page that needs nothing else: pictures and curves are inside, no script,
// no outside source, light and dark, on a screen, a phone and paper.
//
//	page := report.Denoise{
//		Title:   "chelsea.png",
//		Summary: "20.1 dB became 28.0 dB.",
//		Images:  []report.Picture{{Caption: "noisy", PNG: noisy}, {Caption: "denoised", PNG: denoised}},
//		Numbers: report.Table{Head: []string{"", "PSNR (dB)"}, Rows: [][]string{{"noisy", "20.0"}, {"sparse", "28.1"}}},
//		Curves:  curves, // an SVG of training/chart
//	}
//	return dir.Write("report.html", page.Write)
package report
