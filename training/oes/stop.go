package oes

import (
	"math"
	"slices"

	"graft/onnx"
)

// Stop finds when to stop without a clean image, by the variance of what the network draws over a window of steps: it is least
// about when the image is drawn and its noise is not yet (Wang, Li, Zhuang, Chen, Liang, Sun, arXiv 2112.06074). The zero value
// takes the authors' window and patience.
type Stop struct {
	Window   int   // images; 100
	Patience int64 // steps without a smaller variance after which nothing more is expected; 1,000

	images  [][]float32 // the last ones, the oldest at next
	next    int
	sum     []float64
	squares float64

	// What is found: the image of the step at the end of the window of least variance.
	Image    *onnx.Tensor
	Step     int64
	Variance float64 // for each pixel
	Over     bool    // Patience has run out
}

// See takes the image of a step; steps come in order.
func (s *Stop) See(step int64, image *onnx.Tensor) {
	if s.Window == 0 {
		s.Window = 100
	}
	if s.Patience == 0 {
		s.Patience = 1000
	}
	if s.Over {
		return
	}
	x := image.Float32s()
	if s.sum == nil {
		s.sum = make([]float64, len(x))
	}
	if len(s.images) < s.Window {
		s.images = append(s.images, slices.Clone(x))
	} else {
		s.take(s.images[s.next], -1)
		copy(s.images[s.next], x)
		s.next = (s.next + 1) % s.Window
	}
	s.take(x, 1)
	if len(s.images) < s.Window {
		return
	}
	w := float64(s.Window)
	mean := 0.0
	for _, v := range s.sum {
		mean += v / w * v / w
	}
	variance := (s.squares/w - mean) / float64(len(x))
	switch {
	case math.IsNaN(variance):
	case s.Image == nil || variance < s.Variance:
		s.Image, s.Step, s.Variance = image.Clone(), step, variance
	case step-s.Step >= s.Patience:
		s.Over = true
	}
}

// take adds an image to the sums, or takes it off.
func (s *Stop) take(x []float32, sign float64) {
	for i, v := range x {
		s.sum[i] += sign * float64(v)
		s.squares += sign * float64(v) * float64(v)
	}
}
