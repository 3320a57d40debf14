package autodiff

import (
	"context"
	"testing"

	"graft/onnx"
	"graft/onnx/limits/limitstest"
)

// TestWeightPeak: the weight's gradient of a large image holds no more than three copies of the input at once. How far the
// process's resident memory rises also says in which order ONNX Runtime takes the tiles.
func TestWeightPeak(t *testing.T) {
	q := square{1, 32, 16, 5, 320, 1, 1}
	s, feeds := lowered(t, 1, func(b *Builder) *onnx.Value {
		for _, form := range weightLowerings {
			if l := q.layer(); form.fits(l) && form.pays[CPU](l) {
				return q.weight(form)(b)
			}
		}
		return nil
	})
	peak, known := limitstest.Peak(t, func() {
		if _, err := s.Run(context.Background(), feeds); err != nil {
			t.Fatal(err)
		}
	})
	if !known {
		t.Skip("the peak cannot be begun anew")
	}
	input := 4 * len(feeds["x"].Float32s()) / 1024
	t.Logf("%d KiB above an input of %d KiB", peak, input)
	if peak > 3*input {
		t.Errorf("%d KiB at once for an input of %d KiB", peak, input)
	}
}
