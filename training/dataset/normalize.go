package dataset

import (
	"fmt"
	"math"

	"graft/onnx"
	"graft/onnx/limits"
)

// passSize is how many samples are held at a time while statistics are taken.
const passSize = 256

// Statistics are the mean and the deviation of each channel over float samples [C,H,W], or of all numbers of others, in
// float64. A channel that is the same number everywhere has no deviation to divide by and is an error.
func Statistics(rows Rows) (Normalization, error) {
	dtype, dims := rows.Sample()
	if dtype != onnx.Float {
		return Normalization{}, fmt.Errorf("samples are %v, only those of float are standardized", dtype)
	}
	width, err := onnx.ElementCount(dims)
	if err != nil {
		return Normalization{}, err
	}
	channels := channelsOf(dims)
	sum, squares := make([]float64, channels), make([]float64, channels)
	shift := make([]float64, channels) // the first number of each channel: squares of what is far from zero lose digits
	batch := onnx.NewTensor(onnx.Float, passSize, width)
	count := rows.Len()
	if count == 0 || width == 0 {
		return Normalization{}, fmt.Errorf("%d samples of %v hold no numbers", count, dims)
	}
	plane := int(width) / channels
	for from := int64(0); from < count; from += passSize {
		n := min(passSize, count-from)
		picked := make([]uint32, n)
		for i := range picked {
			picked[i] = uint32(from) + uint32(i)
		}
		part := &onnx.Tensor{DType: onnx.Float, Dims: []int64{n, width}, Data: batch.Data[:n*width*4]}
		if err := rows.Gather(part.Data, picked); err != nil {
			return Normalization{}, err
		}
		values := part.Float32s()
		for i := range int(n) * channels {
			c := i % channels
			of := values[i*plane : (i+1)*plane]
			if from == 0 && i < channels {
				shift[c] = float64(of[0])
			}
			for _, v := range of {
				d := float64(v) - shift[c]
				sum[c] += d
				squares[c] += d * d
			}
		}
	}
	var out Normalization
	total := float64(count) * float64(plane)
	for c := range channels {
		mean := sum[c] / total
		deviation := math.Sqrt(max(0, squares[c]/total-mean*mean))
		if !(deviation > 0) || math.IsInf(deviation, 0) {
			return out, fmt.Errorf("channel %d has the deviation %g: it cannot be divided by", c, deviation)
		}
		out.Mean, out.Std = append(out.Mean, mean+shift[c]), append(out.Std, deviation)
	}
	return out, nil
}

// channelsOf is the first of three dims; others are one channel.
func channelsOf(dims []int64) int {
	if len(dims) == 3 && dims[0] > 0 {
		return int(dims[0])
	}
	return 1
}

// Normalized are float samples from which the mean of their channel is taken, and which are divided by its deviation.
func Normalized(rows Rows, n Normalization) (Rows, error) {
	dtype, dims := rows.Sample()
	if dtype != onnx.Float {
		return nil, fmt.Errorf("only float samples are normalized, they are %v", dtype)
	}
	channels := channelsOf(dims)
	if err := n.Check(int64(channels)); err != nil {
		return nil, err
	}
	r := &normalizedRows{Rows: rows}
	for c := range channels {
		mean, std := n.channel(c)
		r.mean, r.scale = append(r.mean, mean), append(r.scale, 1/std)
	}
	return r, nil
}

type normalizedRows struct {
	Rows
	mean, scale []float64
}

func (r *normalizedRows) Gather(dst []byte, picked []uint32) error {
	if err := r.Rows.Gather(dst, picked); err != nil || len(picked) == 0 || len(dst) == 0 {
		return err
	}
	values := onnx.View[float32](&onnx.Tensor{DType: onnx.Float, Dims: []int64{int64(len(dst) / 4)}, Data: dst})
	channels := len(r.mean)
	plane := len(values) / len(picked) / channels
	for i := range len(picked) * channels {
		mean, scale := r.mean[i%channels], r.scale[i%channels]
		for j, v := range values[i*plane : (i+1)*plane] {
			values[i*plane+j] = float32((float64(v) - mean) * scale)
		}
	}
	return nil
}

// Labels are the answers of rows of whole numbers, one a sample; an error for others.
func Labels(rows Rows) ([]int64, error) {
	dtype, dims := rows.Sample()
	if n, err := onnx.ElementCount(dims); err != nil || n != 1 || dtype != onnx.Int64 {
		return nil, limits.Refuse("answers", "are %v %v a sample, a class of int64 is wanted", dtype, dims)
	}
	t := onnx.NewTensor(onnx.Int64, rows.Len())
	if err := rows.Gather(t.Data, numbers(nil, rows.Len())); err != nil {
		return nil, err
	}
	return t.Int64s(), nil
}
