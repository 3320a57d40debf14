package session

import (
	"context"
	"fmt"

	"graft/onnx"
	"graft/training/metric/bias"
)

// FirstEncoder gives the last hidden state of the first token, which is [CLS] in BERT; nil where the model gives none.
func (m *Model) FirstEncoder() bias.Encoder {
	if m.out[roleHidden] == nil {
		return nil
	}
	return firstEncoder{m}
}

type firstEncoder struct{ *Model }

// Embed implements bias.Encoder.
func (m firstEncoder) Embed(ctx context.Context, sequences [][]int64, told func(int)) ([][]float64, error) {
	return m.plain(ctx, roleHidden, "first", len(sequences), func(i int) []int64 { return sequences[i] }, none, told,
		func(b batch, t *onnx.Tensor, out [][]float64) error {
			if len(t.Dims) != 3 || t.Dims[1] != int64(b.length) {
				return fmt.Errorf("hidden states are of %v, want [batch, sequence, width]", t.Dims)
			}
			v, width := t.Float32s(), int(t.Dims[2])
			for row, i := range b.index {
				out[i] = doubles(v[row*b.length*width:][:width])
			}
			return nil
		})
}
