package winograd

// Milliseconds on ONNX Runtime 1.28, one thread, weights that are not constant: the convolution and the transposed one by the
// operators and by tiles (BenchmarkForms measures them anew). The gradient of the weight, which gains as much, is in the table of
// training/autodiff.
//
//	batch  channels  side  Conv  tiles  ConvTranspose  tiles
//	128    64        32    143   182    144            188
//	128    64        8     8.9   6.6    9.5            8.4
//	128    128       16    112   102    132            98
//	128    128       4     10.4  6.7    11.8           4.5
//	128    256       8     100   76     116            68
//	128    512       4     97    60     167            64
//	128    512       2     93    24     196            23
//	32     128       28    90    89     93             77
//	32     256       14    86    50     92             50
//	32     512       7     98    57     125            62
//	8      256       14    22    23     39             14
//	8      512       7     36    32     39             28
//	1      512       7     3.0   9.3    4.4            12.7
//	1      128       64    14.1  10.1   22.0           10.6
//
// In a whole training step, Deep Image Prior's network with one picture of 256x256, large pictures gain nothing, and hold a
// third more.
const (
	leastChannels = 128
	mostPlaces    = 16 * 16
	leastTiles    = 128
)

// Pays reports whether this form is the faster one on a CPU, for kernels from c to o channels whose weights a run brings
// along. places is the size of an output picture, batch the number of pictures; one that is not known, 0, is taken to be large.
func Pays(batch, c, o, places int64) bool {
	return min(c, o) >= leastChannels && places <= mostPlaces && (batch == 0 || batch*places >= leastTiles*step*step)
}
