package cli

import (
	"fmt"
	"slices"
	"strings"

	"graft/graphs"
	"graft/onnx"
)

// prior is a network that --network chooses.
type prior struct {
	Name, Doc string
	// Network gives the network for a photo, whose sides are padded to multiples of what is returned. It has fewer scales
	// where the photo is too small for all.
	Network func(p denoisePreset, width, height, channels int) (graphs.Network, int)
}

// priors lists the networks; docs/denoise.md has the table.
var priors = []prior{
	{"hourglass", "encoder and decoder without skip connections", func(p denoisePreset, width, height, channels int) (graphs.Network, int) {
		n := p.network(width, height, channels)
		return n, int(n.Multiple())
	}},
	{"skip", "encoder and decoder with narrow skip connections", func(p denoisePreset, width, height, channels int) (graphs.Network, int) {
		n := graphs.Skip{Channels: p.Widths, Out: int64(channels)}.Defaults()
		scales, multiple := scalesFor(width, height, len(n.Channels), int(n.Kernel)/2)
		n.Channels, n.Bypass = n.Channels[:scales], n.Bypass[:scales]
		n.Width, n.Height = int64(roundUp(width, multiple)), int64(roundUp(height, multiple))
		return n, multiple
	}},
	{"unet", "U-Net", func(p denoisePreset, width, height, channels int) (graphs.Network, int) {
		n := graphs.UNet{Channels: p.Widths, Out: int64(channels)}.Defaults()
		scales, multiple := scalesFor(width, height, len(n.Channels)-1, 1)
		n.Channels = n.Channels[:scales+1]
		n.Width, n.Height = int64(roundUp(width, multiple)), int64(roundUp(height, multiple))
		return n, multiple
	}},
	{"resnet", "residual blocks at full size", func(p denoisePreset, width, height, channels int) (graphs.Network, int) {
		return graphs.Residual{Channels: p.Width, Blocks: p.Blocks, Out: int64(channels), Width: int64(width), Height: int64(height)}.Defaults(), 1
	}},
	{"cnn", "plain convolutions at full size", func(p denoisePreset, width, height, channels int) (graphs.Network, int) {
		return graphs.CNN{Channels: p.Layers, Out: int64(channels), Width: int64(width), Height: int64(height)}.Defaults(), 1
	}},
	{"decoder", "deep decoder of 1x1 convolutions", decoderNetwork},
}

// decoderNetwork halves as often as the preset's hourglass does.
func decoderNetwork(p denoisePreset, width, height, channels int) (graphs.Network, int) {
	like := p.network(width, height, channels)
	return graphs.DeepDecoder{Layers: int64(len(like.Channels) + 1), Out: int64(channels), Width: like.Width, Height: like.Height}.Defaults(), int(like.Multiple())
}

// scalesFor is how often, n times at most and once at least, the sides are halved so that more than `more` pixels are left, and
// the multiple that they are padded to.
func scalesFor(width, height, n, more int) (scales, multiple int) {
	for scales = n; scales > 1; scales-- {
		if m := 1 << scales; min(roundUp(width, m), roundUp(height, m))/m > more {
			break
		}
	}
	return scales, 1 << scales
}

func priorNames() []string {
	names := make([]string, len(priors))
	for i, p := range priors {
		names[i] = p.Name
	}
	return names
}

func findPrior(name string) (prior, error) {
	i := slices.IndexFunc(priors, func(p prior) bool { return p.Name == name })
	if i < 0 {
		return prior{}, misuse("unknown network %q: there are %s", name, strings.Join(priorNames(), ", "))
	}
	return priors[i], nil
}

// Head lists the parameters that make the picture of the last features: those of the last convolution, and of the norm before
// it. A short run of mask learning may cut an output channel off.
func (p prior) Head(m *onnx.Model) []string {
	list := m.Graph.Initializers()
	last := len(list)
	for last > 0 && strings.HasPrefix(list[last-1].Name, "out.") {
		last--
	}
	var head []string
	for i := max(0, last-2); i < len(list); i++ {
		head = append(head, list[i].Name)
	}
	return head
}

// describeNetwork is the run's network in a line.
func (d *denoising) describeNetwork() string {
	n, _ := d.prior.Network(d.preset, d.photo.noisy.Width, d.photo.noisy.Height, d.photo.noisy.Channels)
	channels := fmt.Sprintf("%d channels", d.photo.noisy.Channels)
	if d.photo.noisy.Channels == 1 {
		channels = "one channel"
	}
	if w := scaleWidths(n); len(w) > 0 {
		return fmt.Sprintf("a network %s with scales of %v for %s", d.prior.Name, w, channels)
	}
	return fmt.Sprintf("a network %s for %s", d.prior.Name, channels)
}

// scaleWidths are the widths of a network's scales, nil where it has none.
func scaleWidths(n graphs.Network) []int64 {
	switch n := n.(type) {
	case graphs.Hourglass:
		return n.Channels
	case graphs.Skip:
		return n.Channels
	case graphs.UNet:
		return n.Channels
	}
	return nil
}
