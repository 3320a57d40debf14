// Package defaultmask holds masks of hourglass networks that were learned once, on pictures that no table of the pages shows, so
// that a picture can be restored without learning a mask for it.
//
//	set, err := defaultmask.For(graphs.QuickHourglass)
//	if err != nil {
//		return err // there is none for this network
//	}
//
// A mask is of the widths and kernels of the network and of nothing else: not of the picture's size, its channels, or the seed of
// the weights. generate.go made the files; they are what it wrote:
//
//	go run training/oes/defaultmask/generate.go --name quick --work DIR rocket.jpg coins.png brick.png gravel.png
package defaultmask
