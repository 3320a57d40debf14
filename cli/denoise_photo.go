package cli

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"

	"graft/graphs"
	"graft/onnx/noise"
	"graft/training/dataset"
	"graft/training/oes"
)

// photo is what is to be denoised, at the size of the run.
type photo struct {
	name         string
	noisy, clean *dataset.Image // clean is nil when it is not known
	hash         string         // of the files read
}

// readPhoto reads the image, and makes it noisy or reads its clean version, as the flags say.
func readPhoto(c *call) (*photo, error) {
	image, hash, err := readImage(c.Arg(0), c.Int("size"))
	if err != nil {
		return nil, err
	}
	p := &photo{name: filepath.Base(c.Arg(0)), noisy: image, hash: hash}
	switch {
	case c.IsSet("noise"):
		p.clean = image
		if p.noisy, err = addNoise(image, c.Float("noise"), c.Common.Seed); err != nil {
			return nil, err
		}
	case c.IsSet("clean"):
		if p.clean, hash, err = readImage(c.Text("clean"), c.Int("size")); err != nil {
			return nil, err
		}
		p.hash += "+" + hash
		if p.clean.Channels != p.noisy.Channels {
			p.clean, p.noisy = p.clean.RGB(), p.noisy.RGB()
		}
		if p.clean.Width != p.noisy.Width || p.clean.Height != p.noisy.Height {
			return nil, refused(c.Text("clean"), fmt.Errorf("the clean photo is %d x %d, the noisy one %d x %d: they must show the same pixels",
				p.clean.Width, p.clean.Height, p.noisy.Width, p.noisy.Height))
		}
	}
	if p.noisy.Note != "" {
		c.Say("%s: %s", c.Arg(0), p.noisy.Note)
	}
	return p, nil
}

func readImage(path string, size int) (*dataset.Image, string, error) {
	image, err := dataset.ReadImage(path)
	if err != nil {
		return nil, "", refused(path, err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, "", refused(path, err)
	}
	sum := sha256.Sum256(data)
	if size > 0 {
		if image, err = image.Resize(size); err != nil {
			return nil, "", refused(path, err)
		}
	}
	return image, hex.EncodeToString(sum[:]), nil
}

// minSide is the least side in pixels of a photo.
const minSide = 32

// addNoise adds seeded Gaussian noise and clips, as noisy photos are.
func addNoise(m *dataset.Image, sigma float64, seed uint64) (*dataset.Image, error) {
	pix := make([]float32, len(m.Pix))
	noise.Normal(pix, noise.NewKey(seed, "noise", 0))
	for i, v := range m.Pix {
		pix[i] = min(max(v+float32(sigma)*pix[i], 0), 1)
	}
	return m.WithPix(pix)
}

// problem sets the photo up for the preset's network, at its own size or with a longer side of that many pixels.
func (p *photo) problem(preset denoisePreset, seed uint64, side int) (*oes.Problem, error) {
	noisy, clean := p.noisy, p.clean
	var err error
	if side > 0 {
		if noisy, err = noisy.Resize(side); err != nil {
			return nil, err
		}
		if clean != nil {
			if clean, err = clean.Resize(side); err != nil {
				return nil, err
			}
		}
	}
	network := preset.network(noisy.Width, noisy.Height, noisy.Channels)
	out := &oes.Problem{}
	if out.Network, err = network.Build(seed); err != nil {
		return nil, err
	}
	out.Z = oes.NewZ(seed, 1, network.In, network.Height, network.Width)
	padded, padding, err := noisy.PadToMultiple(int(network.Multiple()))
	if err != nil {
		return nil, err
	}
	out.Noisy = padded.Tensor()
	if clean != nil {
		if padded, _, err = clean.PadToMultiple(int(network.Multiple())); err != nil {
			return nil, err
		}
		out.Clean = padded.Tensor()
	}
	out.Region = oes.Region{X: padding.Left, Y: padding.Top, Width: noisy.Width, Height: noisy.Height}
	return out, nil
}

// decoderProblem is the same photo for a deep decoder.
func (p *photo) decoderProblem(base *oes.Problem, scales int, seed uint64) (*oes.Problem, error) {
	dims := base.Noisy.Dims
	network := graphs.DeepDecoder{Layers: int64(scales + 1), Out: dims[1], Height: dims[2], Width: dims[3]}
	m, err := network.Build(seed)
	if err != nil {
		return nil, err
	}
	out := *base
	out.Network = m
	sizes, _ := m.Graph.Inputs()[0].Type.Shape.Sizes()
	out.Z = oes.NewZ(seed, sizes...)
	return &out, nil
}
