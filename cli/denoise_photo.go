package cli

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"

	"graft/onnx"
	"graft/onnx/noise"
	"graft/onnx/op"
	"graft/training/dataset"
	"graft/training/degrade"
	"graft/training/oes"
)

// photo is what is to be restored, at the size of the run.
type photo struct {
	name         string
	noisy, clean *dataset.Image       // noisy is what was measured, shown as a picture; clean is nil when it is not known
	seen         *degrade.Observation // what was measured, where it is not the noisy picture itself; else nil
	hash         string               // of the files read
}

// readPhoto reads the image and its clean version, and degrades it as the task says.
func readPhoto(c *call, task denoiseTask) (*photo, error) {
	image, hash, err := readImage(c.Arg(0), c.Int("size"))
	if err != nil {
		return nil, err
	}
	p := &photo{name: filepath.Base(c.Arg(0)), noisy: image, hash: hash}
	if p.noisy.Note != "" {
		c.Say("%s: %s", c.Arg(0), p.noisy.Note)
	}
	if flat(p.noisy) {
		c.Say("%s: every pixel has the same colour", c.Arg(0))
	}
	if c.IsSet("clean") {
		if p.clean, hash, err = readImage(c.Text("clean"), c.Int("size")); err != nil {
			return nil, err
		}
		p.hash += "+" + hash
		if p.clean.Channels != p.noisy.Channels {
			p.clean, p.noisy = p.clean.RGB(), p.noisy.RGB()
		}
	}
	if err := task.apply(c, p); err != nil {
		return nil, err
	}
	if p.clean != nil && (p.clean.Width != p.noisy.Width || p.clean.Height != p.noisy.Height) {
		return nil, refused(c.Text("clean"), fmt.Errorf("the clean photo is %d x %d, the %s one %d x %d: they must show the same pixels",
			p.clean.Width, p.clean.Height, task.adjective(), p.noisy.Width, p.noisy.Height))
	}
	return p, nil
}

// flat says whether all pixels are the same.
func flat(m *dataset.Image) bool {
	n := m.Width * m.Height
	for c := range m.Channels {
		for _, v := range m.Pix[c*n : (c+1)*n] {
			if v != m.Pix[c*n] {
				return false
			}
		}
	}
	return true
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

// problem sets the photo up for a network, whose frame is the photo padded.
func (p *photo) problem(pr prior, preset denoisePreset, seed uint64) (*oes.Problem, error) {
	network, multiple := pr.Network(preset, p.noisy.Width, p.noisy.Height, p.noisy.Channels)
	out := &oes.Problem{}
	var err error
	if out.Network, err = network.Build(seed); err != nil {
		return nil, err
	}
	z, ok := out.Network.Graph.Inputs()[0].Type.Shape.Sizes()
	if !ok {
		return nil, fmt.Errorf("network %s: z has no fixed size", pr.Name)
	}
	out.Z = oes.NewZ(seed, z...)
	padded, padding, err := p.noisy.PadToMultiple(multiple)
	if err != nil {
		return nil, err
	}
	out.Region = oes.Region{X: padding.Left, Y: padding.Top, Width: p.noisy.Width, Height: p.noisy.Height}
	if out.Noisy = padded.Tensor(); p.seen != nil {
		out.Noisy, out.Observe = p.seen.Y, observedInside(out.Region, p.seen.Graph)
	}
	if p.clean != nil {
		if padded, _, err = p.clean.PadToMultiple(multiple); err != nil {
			return nil, err
		}
		out.Clean = padded.Tensor()
	}
	return out, nil
}

// observedInside observes the region of a frame; what is padded is not looked at.
func observedInside(r oes.Region, graph func(*op.Builder, *onnx.Value) *onnx.Value) func(*op.Builder, *onnx.Value) *onnx.Value {
	return func(b *op.Builder, frame *onnx.Value) *onnx.Value {
		x, y, width, height := int64(r.X), int64(r.Y), int64(r.Width), int64(r.Height)
		if size, ok := frame.Type.Shape.Sizes(); !ok || size[2] != height || size[3] != width {
			frame = b.Slice(frame, op.SliceSpec{Axis: 2, Start: y, End: y + height}, op.SliceSpec{Axis: 3, Start: x, End: x + width})
		}
		return graph(b, frame)
	}
}
