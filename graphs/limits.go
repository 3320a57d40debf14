package graphs

import (
	"fmt"

	"graft/onnx/op"
)

// halve is the 2x2 average pool that the encoders shrink by.
var halve = op.PoolAttrs{Kernel: []int64{2, 2}, Strides: []int64{2, 2}}

// checkImageNet refuses sizes that no image network of this package can have. Height and width must be divisible by
// 2^scales.
func checkImageNet(in, out, height, width int64, scales int, channels []int64) error {
	if scales < 1 || scales > 10 {
		return fmt.Errorf("%d scales: wants 1 to 10", scales)
	}
	for _, c := range append([]int64{in, out}, channels...) {
		if c < 1 || c > 4096 {
			return fmt.Errorf("%d channels: wants 1 to 4096", c)
		}
	}
	for _, side := range []int64{height, width} {
		if side < 1 || side > 16384 || side%(1<<scales) != 0 {
			return fmt.Errorf("side %d: wants a multiple of %d up to 16384", side, 1<<scales)
		}
	}
	return nil
}

// checkFullSize refuses what no image network without scales can have.
func checkFullSize(in, out, height, width int64, channels []int64) error {
	for _, c := range append([]int64{in, out}, channels...) {
		if c < 1 || c > 4096 {
			return fmt.Errorf("%d channels: wants 1 to 4096", c)
		}
	}
	for _, side := range []int64{height, width} {
		if side < 1 || side > 16384 {
			return fmt.Errorf("side %d: wants 1 to 16384", side)
		}
	}
	return nil
}
