// Package signal makes the data that sparsity-promoting regularisers are learned from and tested on: signals of one dimension,
// patches of pictures, and noise on them. Every signal is a pure function of seed, stream and its number, so that a set can be
// made longer, or in parts, and begins the same.
//
//	train, err := signal.PiecewiseConstant(signal.Config{Count: 10000, Length: 64, Seed: 1, Stream: "train"})
//	noisy := train.WithNoise(0.1, 1, "train")
//	pictures, err := signal.ReadFolder("photos")
//	grid, err := signal.NewGrid(pictures[0].Height, pictures[0].Width, 8, 1)
//	patches, means, err := grid.Cut(pictures[0].Pix, true)
//
// Where the published experiments leave a choice open, it is said at the function: how many coefficients of a cosine-sparse
// signal are not zero, and from what the heights of a signal are drawn.
package signal
