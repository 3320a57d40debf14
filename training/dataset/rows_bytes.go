package dataset

import (
	"fmt"
	"slices"

	"graft/onnx"
)

// Normalization is (x - Mean)/Std, one pair for each channel or one for all. The zero value leaves x as it is.
type Normalization struct{ Mean, Std []float64 }

// IsZero reports whether nothing is to be done.
func (n Normalization) IsZero() bool { return len(n.Mean) == 0 && len(n.Std) == 0 }

// channel is the mean and deviation of channel c of channels.
func (n Normalization) channel(c int) (mean, std float64) {
	mean, std = 0, 1
	if len(n.Mean) > 0 {
		mean = n.Mean[c%len(n.Mean)]
	}
	if len(n.Std) > 0 {
		std = n.Std[c%len(n.Std)]
	}
	return mean, std
}

// Check refuses counts that are neither one nor the number of channels, and deviations that are not above zero.
func (n Normalization) Check(channels int64) error {
	for _, list := range [][]float64{n.Mean, n.Std} {
		if len(list) > 1 && int64(len(list)) != channels {
			return fmt.Errorf("%d numbers for samples of %d channels: give one, or one for each channel", len(list), channels)
		}
	}
	if i := slices.IndexFunc(n.Std, func(s float64) bool { return s <= 0 }); i >= 0 {
		return fmt.Errorf("a deviation of %g is not above 0", n.Std[i])
	}
	return nil
}

// table is what each byte becomes in each channel: its share of 255, normalized.
func (n Normalization) table(channels int) [][256]float32 {
	out := make([][256]float32, channels)
	for c := range out {
		mean, std := n.channel(c)
		for v := range out[c] {
			out[c][v] = float32((float64(v)/255 - mean) / std)
		}
	}
	return out
}

// byteRows are samples stored as bytes and given as float in [0,1], normalized.
type byteRows struct {
	data     []byte
	count    int64
	dims     []int64
	channels int
	table    [][256]float32
}

// newByteRows reads channels off the first of three dims; fewer dims are one channel.
func newByteRows(data []byte, count int64, dims []int64, n Normalization) (*byteRows, error) {
	channels := int64(1)
	if len(dims) == 3 {
		channels = dims[0]
	}
	if err := n.Check(channels); err != nil {
		return nil, err
	}
	return &byteRows{data: data, count: count, dims: dims, channels: int(channels), table: n.table(int(channels))}, nil
}

func (r *byteRows) Len() int64                       { return r.count }
func (r *byteRows) Sample() (onnx.DataType, []int64) { return onnx.Float, r.dims }

func (r *byteRows) Gather(dst []byte, picked []uint32) error {
	if len(picked) == 0 {
		return nil
	}
	width := len(dst) / 4 / len(picked)
	to := onnx.View[float32](&onnx.Tensor{DType: onnx.Float, Dims: []int64{int64(len(dst) / 4)}, Data: dst})
	for i, at := range picked {
		r.put(to[i*width:(i+1)*width], r.data[int(at)*width:int(at+1)*width])
	}
	return nil
}

// put converts one sample.
func (r *byteRows) put(to []float32, from []byte) {
	plane := len(from) / r.channels
	for c := range r.channels {
		table := &r.table[c]
		for i, v := range from[c*plane : (c+1)*plane] {
			to[c*plane+i] = table[v]
		}
	}
}

// Normalize changes float samples [N, C, ...] of a tensor in place.
func (n Normalization) Normalize(t *onnx.Tensor) error {
	if n.IsZero() {
		return nil
	}
	channels := int64(1)
	if len(t.Dims) > 2 {
		channels = t.Dims[1]
	}
	if t.DType != onnx.Float {
		return fmt.Errorf("only float samples are normalized, they are %v", t.DType)
	}
	if err := n.Check(channels); err != nil {
		return err
	}
	values := t.Float32s()
	if len(values) == 0 {
		return nil
	}
	plane := len(values) / int(t.Dims[0]*channels)
	for i := range len(values) / max(plane, 1) {
		mean, std := n.channel(i % int(channels))
		for j := i * plane; j < (i+1)*plane; j++ {
			values[j] = float32((float64(values[j]) - mean) / std)
		}
	}
	return nil
}
