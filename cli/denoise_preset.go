package cli

import (
	"graft/graphs"
)

// denoisePreset is what --preset chooses: the network, how its mask is learned, and how far it is trained.
type denoisePreset struct {
	Network      graphs.Hourglass // its size is the photo's
	Widths       []int64          // of the scales of skip and unet; nil: as published
	Width        int64            // of resnet's layers; 0: as in its code
	Blocks       int64            // of resnet
	Layers       []int64          // widths of cnn's layers; nil: as in its code
	Sparsity     float64          // fraction removed
	Prior        float64          // of the mask's keep probability, as a fraction of what is kept
	Strength     float64          // lambda times the number of weights
	MaskSide     int              // longer side of the photo that the mask is learned on; 0: the photo's own
	MaskSteps    int64
	ProtectHead  bool    // the mask keeps what makes the picture of the last features whole: a short run may cut an output channel off
	TrainSteps   int64   // at most
	TrainPixels  float64 // steps times pixels that training may take; fewer steps on larger photos
	LeastSteps   int64
	DefaultSteps int64 // training steps at most with the default mask; docs/transfer.md has why. 0: as many as with another
	SparseRate   float64
	Presentation string // one line for the help and the report
}

// denoisePresets holds what was chosen by measurement; docs/denoise.md has the table.
var denoisePresets = map[string]denoisePreset{
	"quick": {
		Network: graphs.QuickHourglass, Widths: graphs.QuickHourglass.Channels, Width: 16, Blocks: 4, Layers: []int64{16, 32, 64},
		Sparsity: 0.95, Prior: 1, Strength: 1, MaskSide: 128, MaskSteps: 1500, ProtectHead: true,
		TrainSteps: 2000, TrainPixels: 90e6, LeastSteps: 300, DefaultSteps: 1000, SparseRate: 1e-2,
		Presentation: "minutes on two cores: half a million weights, mask learned at 128 pixels",
	},
	"balanced": {
		Network: graphs.Hourglass{Channels: []int64{16, 32, 64, 128, 128}}, Widths: []int64{16, 32, 64, 128, 128}, Width: 32, Blocks: 4,
		Sparsity: 0.95, Prior: 1, Strength: 1, MaskSide: 256, MaskSteps: 2000, ProtectHead: true,
		TrainSteps: 3000, TrainPixels: 200e6, LeastSteps: 600, SparseRate: 1e-2,
		Presentation: "a quarter of an hour and more on two cores: two million weights, mask learned at 256 pixels",
	},
	"paper": {
		Network:  graphs.Hourglass{}.Defaults(),
		Sparsity: 0.95, Prior: 1, Strength: 0.003008867, MaskSteps: 60_000,
		TrainSteps: 40_000, SparseRate: 1e-2,
		Presentation: "the published settings: three million weights, 60,000 mask steps and 40,000 training steps",
	},
}

// steps is how many training steps a photo of that many pixels gets.
func (p denoisePreset) steps(pixels int) int64 {
	if p.TrainPixels == 0 {
		return p.TrainSteps
	}
	n := int64(p.TrainPixels/float64(pixels)) / 25 * 25
	return min(max(n, p.LeastSteps), p.TrainSteps)
}

// network is the preset's network for a padded photo; it has fewer scales when the photo is too small for all.
func (p denoisePreset) network(width, height, channels int) graphs.Hourglass {
	n := p.Network.Defaults()
	n.Out = int64(channels)
	for len(n.Channels) > 1 {
		m := int(n.Multiple())
		n.Height, n.Width = int64(roundUp(height, m)), int64(roundUp(width, m))
		if min(n.Height, n.Width)/int64(m) > n.DownKernel/2 {
			return n
		}
		n.Channels = n.Channels[:len(n.Channels)-1]
	}
	m := int(n.Multiple())
	n.Height, n.Width = int64(roundUp(height, m)), int64(roundUp(width, m))
	return n
}

// least is the shorter side in pixels from which on the preset's hourglass has all its scales.
func (p denoisePreset) least() int {
	n := p.Network.Defaults()
	m := int(n.Multiple())
	return m*int(n.DownKernel/2) + 1
}

func roundUp(v, multiple int) int { return (v + multiple - 1) / multiple * multiple }
