package rewrite

import (
	"math"
	"slices"

	"graft/onnx"
	"graft/onnx/op"
)

var convPatterns = []pattern{
	{"Conv + BatchNormalization", []string{"BatchNormalization"}, 0, convNorm},
	{"Conv + Add", []string{"Add", "Sub"}, 0, convAdd},
	{"Conv + Mul", []string{"Mul", "Div"}, 0, convMul},
	{"Pad + Conv", []string{"Conv"}, 0, padConv},
}

var convolutions = []string{"Conv", "ConvTranspose"}

// channelsOut is the number of output channels of a convolution with weights w.
func channelsOut(n *onnx.Node, w *onnx.Tensor) int64 {
	if n.Is("Conv") {
		return w.Dims[0]
	}
	return w.Dims[1] * onnx.AttrOr(n, "group", int64(1))
}

// weightsOf are the weights of a convolution that is read by one node alone, and its bias, nil when it has none; ok when they
// are constants that can be computed with.
func (s *site) weightsOf(conv *onnx.Node) (w, bias *onnx.Tensor, ok bool) {
	w = s.constant(conv.Input(1))
	if w == nil || len(w.Dims) < 3 || w.DType != onnx.Float && w.DType != onnx.Double {
		return nil, nil, false
	}
	if conv.Input(2) != nil {
		if bias = s.constant(conv.Input(2)); bias == nil || bias.Len() != channelsOut(conv, w) {
			return nil, nil, false
		}
	}
	return w, bias, true
}

// scaled is a convolution whose output channel c is scale[c] times that of conv, plus shift[c].
//
//	scale (W x + b) + shift = (scale W) x + (scale b + shift)
func (s *site) scaled(conv *onnx.Node, w, bias *onnx.Tensor, scale, shift []float64) []*onnx.Value {
	if !s.affordable(w.DType, w.Dims) {
		return nil
	}
	run := int64(1) // elements in a row that one channel has
	for _, d := range w.Dims[2:] {
		run *= d
	}
	channels := int64(len(scale))
	channel := func(k int64) int64 { return k }
	if conv.Is("Conv") { // [O, I/group, ...]
		run *= w.Dims[1]
	} else { // [I, O/group, ...]
		each := w.Dims[0] * w.Dims[1] / channels // inputs of a group
		channel = func(k int64) int64 { return k%w.Dims[1] + k/w.Dims[1]/each*w.Dims[1] }
	}
	shifts := slices.Clone(shift)
	if bias != nil {
		b, ok := bias.Reals()
		if !ok {
			return nil
		}
		for c := range shifts {
			shifts[c] += scale[c] * b[c]
		}
	}
	biases, ok := rounded(w.DType, []int64{channels}, shifts)
	if !ok {
		return nil
	}
	weights := onnx.NewTensor(w.DType, w.Dims...)
	if w.DType == onnx.Double {
		ok = scaledRuns(onnx.View[float64](weights), onnx.View[float64](w), run, scale, channel)
	} else {
		ok = scaledRuns(weights.Float32s(), w.Float32s(), run, scale, channel)
	}
	if !ok {
		return nil
	}
	return s.one(conv.Op, []*onnx.Value{conv.Input(0), s.tensor(weights), s.tensor(biases)}, conv.Attrs...)
}

// scaledRuns makes the k-th run of elements scale[channel(k)] times that of from; false when a product is not finite.
func scaledRuns[T float32 | float64](to, from []T, run int64, scale []float64, channel func(k int64) int64) bool {
	for k := range int64(len(from)) / max(run, 1) {
		by := scale[channel(k)]
		row := to[k*run : (k+1)*run]
		for i, v := range from[k*run : (k+1)*run] {
			y := T(float64(v) * by)
			if y-y != 0 {
				return false
			}
			row[i] = y
		}
	}
	return true
}

// rounded is a tensor of float32 or float64; false when a number that is finite is not there.
func rounded(d onnx.DataType, dims []int64, values []float64) (*onnx.Tensor, bool) {
	t := onnx.NewTensor(d, dims...)
	if d == onnx.Double {
		copy(onnx.View[float64](t), values)
		return t, true
	}
	to := t.Float32s()
	for i, v := range values {
		to[i] = float32(v)
		if f := float64(to[i]); f-f != 0 {
			return nil, false
		}
	}
	return t, true
}

// convNorm: a BatchNormalization of stored statistics scales and shifts the channels of the convolution before it.
func convNorm(s *site, n *onnx.Node) []*onnx.Value {
	conv := s.maker(n.Input(0), convolutions...)
	if conv == nil || onnx.AttrOr(n, "training_mode", int64(0)) != 0 || onnx.AttrOr(n, "spatial", int64(1)) != 1 {
		return nil
	}
	for _, o := range n.Outputs()[1:] {
		if o != nil {
			return nil
		}
	}
	w, bias, ok := s.weightsOf(conv)
	if !ok {
		return nil
	}
	scale, shift, ok := s.normScale(n)
	if !ok || int64(len(scale)) != channelsOut(conv, w) {
		return nil
	}
	return s.scaled(conv, w, bias, scale, shift)
}

// normScale is a BatchNormalization of stored statistics as y = scale x + shift:
//
//	scale = gamma / sqrt(variance + epsilon), shift = beta - scale mean
func (s *site) normScale(n *onnx.Node) (scale, shift []float64, ok bool) {
	var p [4][]float64
	for i := range p {
		if p[i], ok = s.numbers(n.Input(i + 1)); !ok || len(p[i]) != len(p[0]) {
			return nil, nil, false
		}
	}
	epsilon := float64(onnx.AttrOr(n, "epsilon", float32(1e-5)))
	scale, shift = make([]float64, len(p[0])), make([]float64, len(p[0]))
	for c := range scale {
		scale[c] = p[0][c] / math.Sqrt(p[3][c]+epsilon)
		shift[c] = p[1][c] - scale[c]*p[2][c]
	}
	return scale, shift, true
}

// perChannel are the numbers of a constant that broadcasts along the channels of a value alone.
func (s *site) perChannel(c *onnx.Value, r int, channels int64) ([]float64, bool) {
	t := s.constant(c)
	if t == nil || len(t.Dims) > r {
		return nil, false
	}
	for i, d := range t.Dims {
		if axis := i + r - len(t.Dims); d != 1 && (axis != 1 || d != channels) {
			return nil, false
		}
	}
	values, ok := t.Reals()
	if !ok {
		return nil, false
	}
	if len(values) == 1 {
		values = slices.Repeat(values, int(channels))
	}
	return values, true
}

// convAdd: a constant for each channel that is added behind a convolution is its bias.
func convAdd(s *site, n *onnx.Node) []*onnx.Value {
	x, c := either(n, func(v *onnx.Value) bool { return s.maker(v, convolutions...) != nil })
	if x == nil || n.Is("Sub") && x != n.Input(0) || s.constant(c) == nil {
		return nil
	}
	conv := x.Producer()
	w := s.constant(conv.Input(1))
	if w == nil || len(w.Dims) < 3 {
		return nil
	}
	channels := channelsOut(conv, w)
	add, ok := s.perChannel(c, len(w.Dims), channels)
	if !ok {
		return nil
	}
	if t := s.constant(c); conv.Input(2) == nil && n.Is("Add") && t.Len() == channels && t.DType == w.DType {
		bias := s.tensor(&onnx.Tensor{DType: t.DType, Dims: []int64{channels}, Data: t.Data})
		return s.one(conv.Op, []*onnx.Value{conv.Input(0), conv.Input(1), bias}, conv.Attrs...)
	}
	if w.DType != onnx.Float && w.DType != onnx.Double {
		return nil
	}
	if b := conv.Input(2); b != nil {
		old, ok := s.numbers(b)
		if !ok || len(old) != len(add) {
			return nil
		}
		for i := range add {
			if n.Is("Sub") {
				add[i] = -add[i]
			}
			add[i] += old[i]
		}
	} else if n.Is("Sub") {
		for i := range add {
			add[i] = -add[i]
		}
	}
	bias, ok := rounded(w.DType, []int64{channels}, add)
	if !ok {
		return nil
	}
	return s.one(conv.Op, []*onnx.Value{conv.Input(0), conv.Input(1), s.tensor(bias)}, conv.Attrs...)
}

// convMul: a constant for each channel that multiplies behind a convolution goes into its weights.
func convMul(s *site, n *onnx.Node) []*onnx.Value {
	x, c := either(n, func(v *onnx.Value) bool { return s.maker(v, convolutions...) != nil })
	if x == nil || n.Is("Div") && x != n.Input(0) || s.constant(c) == nil {
		return nil
	}
	conv := x.Producer()
	w, bias, ok := s.weightsOf(conv)
	if !ok {
		return nil
	}
	channels := channelsOut(conv, w)
	scale, ok := s.perChannel(c, len(w.Dims), channels)
	if !ok {
		return nil
	}
	if n.Is("Div") {
		for i, v := range scale {
			scale[i] = 1 / v
		}
	}
	if bias != nil || conv.Input(2) == nil {
		return s.scaled(conv, w, bias, scale, make([]float64, channels))
	}
	return nil
}

// padConv: zeros around the pixels are what a convolution's own pads are.
func padConv(s *site, n *onnx.Node) []*onnx.Value {
	pad := s.maker(n.Input(0), "Pad")
	if pad == nil || pad.Input(3) != nil || onnx.AttrOr(pad, "mode", "constant") != "constant" || onnx.AttrOr(pad, "value", float32(0)) != 0 {
		return nil
	}
	if v := pad.Input(2); v != nil {
		if zero, ok := s.number(v); !ok || zero != 0 {
			return nil
		}
	}
	r := rank(n.Input(1))
	pads, given, ok := s.listed(pad, 1, "pads")
	if !given || !ok || r < 3 || len(pads) != 2*r || slices.ContainsFunc(pads, func(p int64) bool { return p < 0 }) ||
		pads[0] != 0 || pads[1] != 0 || pads[r] != 0 || pads[r+1] != 0 {
		return nil
	}
	a := op.ConvAttrsOf(n, r-2)
	if a.AutoPad != "NOTSET" && a.AutoPad != "VALID" && a.AutoPad != "" {
		return nil
	}
	sum := make([]int64, 2*(r-2))
	for i := range r - 2 {
		sum[i], sum[i+r-2] = pads[i+2], pads[i+2+r]
	}
	if own := onnx.AttrOr[[]int64](n, "pads", nil); own != nil && a.AutoPad != "VALID" {
		if len(own) != len(sum) {
			return nil
		}
		for i := range sum {
			sum[i] += own[i]
		}
	}
	return s.one("Conv", append([]*onnx.Value{pad.Input(0)}, n.Inputs()[1:]...), append(attrsBut(n, "pads", "auto_pad"), onnx.Ints("pads", sum...))...)
}
