package op

import (
	"fmt"

	"graft/onnx"
)

var convAttributes = []string{"kernel_shape", "strides", "pads", "dilations", "group", "auto_pad"}

var conv = []Schema{
	row("Conv", 7, 2, 3, floats22, inferConv, convAttributes...),
	row("ConvTranspose", 7, 2, 3, floats22, inferConvTranspose, append([]string{"output_padding", "output_shape"}, convAttributes...)...),
}

// convOperands checks what convolutions ask of x and the weight, and gives the window; a nil one: a rank is unknown.
func convOperands(n *onnx.Node, x, k onnx.Shape) (a ConvAttrs, w *window, err error) {
	if x.Ranked() && len(x) < 3 {
		return a, nil, fmt.Errorf("input has rank %d, wants 3 or more", len(x))
	}
	if k.Ranked() && len(k) < 3 {
		return a, nil, fmt.Errorf("weight has rank %d, wants 3 or more", len(k))
	}
	if x.Ranked() && k.Ranked() && len(x) != len(k) {
		return a, nil, fmt.Errorf("weight has rank %d, input has rank %d", len(k), len(x))
	}
	if !x.Ranked() || !k.Ranked() {
		return a, nil, nil
	}
	spatial := len(x) - 2
	a = ConvAttrsOf(n, spatial)
	if a.Group < 1 || a.Group > maxParam {
		return a, nil, fmt.Errorf("group %d is not possible", a.Group)
	}
	w = &window{kernel: k[2:].Clone(), strides: a.Strides, pads: a.Pads, dilations: a.Dilations, autoPad: a.AutoPad}
	if a.Kernel != nil {
		if len(a.Kernel) != spatial {
			return a, nil, fmt.Errorf("kernel_shape has %d entries, wants %d", len(a.Kernel), spatial)
		}
		for i, s := range a.Kernel {
			if k[i+2].Known() && k[i+2].Size != s {
				return a, nil, fmt.Errorf("kernel_shape %v contradicts the weight %v", a.Kernel, k)
			}
			if s < 1 {
				return a, nil, fmt.Errorf("kernel size %d is not possible", s)
			}
			w.kernel[i] = size(s)
		}
	}
	return a, w, w.check(spatial)
}

func inferConv(n *onnx.Node) ([]onnx.TensorType, error) {
	d, err := sameTypes(n, 0, n.NumInputs())
	if err != nil {
		return nil, err
	}
	s, err := convShape(n, shapeOf(n, 0), shapeOf(n, 1), shapeOf(n, 2))
	return one(d, s), err
}

// convShape is the shape of the convolution of x with the weight k and a bias, whose shape may be unknown.
func convShape(n *onnx.Node, x, k, bias onnx.Shape) (onnx.Shape, error) {
	a, w, err := convOperands(n, x, k)
	if err != nil || w == nil {
		return nil, err
	}
	if x[1].Known() && k[1].Known() {
		if want, ok := mul(k[1].Size, a.Group); !ok || want != x[1].Size {
			return nil, fmt.Errorf("weight wants %d input channels, input has %d", want, x[1].Size)
		}
	}
	if k[0].Known() && k[0].Size%a.Group != 0 {
		return nil, fmt.Errorf("%d output channels do not divide into %d groups", k[0].Size, a.Group)
	}
	if err := checkBias(bias, k[0]); err != nil {
		return nil, err
	}
	spatial, err := w.slideAll(x[2:])
	return append(onnx.Shape{x[0], k[0]}, spatial...), err
}

func checkBias(b onnx.Shape, channels onnx.Dim) error {
	if !b.Ranked() {
		return nil
	}
	if len(b) != 1 {
		return fmt.Errorf("bias has rank %d, wants 1", len(b))
	}
	if _, ok := mergeDim(b[0], channels); !ok {
		return fmt.Errorf("bias has %v entries, wants %v", b[0], channels)
	}
	return nil
}

func inferConvTranspose(n *onnx.Node) ([]onnx.TensorType, error) {
	d, err := sameTypes(n, 0, n.NumInputs())
	if err != nil {
		return nil, err
	}
	x, k := shapeOf(n, 0), shapeOf(n, 1)
	a, w, err := convOperands(n, x, k)
	if err != nil || w == nil {
		return one(d, nil), err
	}
	if _, ok := mergeDim(x[1], k[0]); !ok {
		return nil, fmt.Errorf("weight wants %v input channels, input has %v", k[0], x[1])
	}
	if k[0].Known() && k[0].Size%a.Group != 0 {
		return nil, fmt.Errorf("%d input channels do not divide into %d groups", k[0].Size, a.Group)
	}
	channels := k[1]
	if channels.Known() {
		m, ok := mul(channels.Size, a.Group)
		if !ok {
			return nil, fmt.Errorf("%d channels in %d groups overflow", channels.Size, a.Group)
		}
		channels = size(m)
	} else if a.Group != 1 {
		channels = productDim(channels, size(a.Group))
	}
	if err := checkBias(shapeOf(n, 2), channels); err != nil {
		return nil, err
	}
	spatial, err := w.spread(x[2:], a)
	return one(d, append(onnx.Shape{x[0], channels}, spatial...)), err
}

// grown is what the transposed convolution of one element is larger along spatial axis i than its stride says.
func (w *window) grown(i int, a ConvAttrs) int64 {
	n := w.dilations[i]*(w.kernel[i].Size-1) + 1 + a.OutputPadding[i]
	if w.autoPad != "VALID" {
		n -= w.pads[i] + w.pads[i+len(w.kernel)]
	}
	return n
}

// spread gives the output's spatial axes of the transposed convolution.
func (w *window) spread(in []onnx.Dim, a ConvAttrs) ([]onnx.Dim, error) {
	out := make([]onnx.Dim, len(in))
	if err := checkList("output_padding", a.OutputPadding, len(in), 0); err != nil {
		return nil, err
	}
	if a.OutputShape != nil {
		shape := a.OutputShape
		if len(shape) == len(in)+2 { // batch and channels may be listed too
			shape = shape[2:]
		}
		if err := checkList("output_shape", shape, len(in), 1); err != nil {
			return nil, err
		}
		for i, s := range shape {
			out[i] = size(s)
		}
		return out, nil
	}
	for i, d := range in {
		switch {
		case d == size(0):
			return nil, fmt.Errorf("axis %d is empty", i+2)
		case !w.kernel[i].Known():
			out[i] = onnx.UnknownDim
			continue
		}
		same := w.autoPad == "SAME_UPPER" || w.autoPad == "SAME_LOWER"
		if !d.Known() {
			out[i] = productDim(d, size(w.strides[i]))
			if !same {
				out[i] = shiftedDim(out[i], w.grown(i, a)-w.strides[i])
			}
			continue
		}
		steps, n := d.Size-1, int64(0)
		if same {
			steps = d.Size
		}
		n, ok := mul(w.strides[i], steps)
		if !ok || n > maxSize {
			return nil, fmt.Errorf("axis %d of size %d with stride %d overflows", i+2, d.Size, w.strides[i])
		}
		if !same {
			n += w.grown(i, a)
		}
		if n < 1 {
			return nil, fmt.Errorf("axis %d would have size %d", i+2, n)
		}
		out[i] = size(n)
	}
	return out, nil
}
