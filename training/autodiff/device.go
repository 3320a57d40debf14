package autodiff

import "graft/onnx"

// Device is where gradients will run. Of the forms that a gradient has, the one is taken that was measured to be the fastest
// there; each of them runs everywhere.
type Device int

const (
	CPU  Device = iota // ONNX Runtime's CPU provider
	CUDA               // its CUDA provider

	devices = 2
)

// row is the row of n's operator, in the form for the device.
func (o Options) row(n *onnx.Node) row {
	r := rules[n.Op]
	if f := r.cuda; f != nil && o.Device == CUDA && (f.fits == nil || f.fits(n)) {
		r.grad, r.expand = f.grad, f.expand
	}
	return r
}
