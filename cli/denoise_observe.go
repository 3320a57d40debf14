package cli

import (
	"fmt"

	"graft/onnx"
	"graft/training/dataset"
	"graft/training/degrade"
)

// apply sets the photo up for the task: p.noisy is the clean one when it is simulated, and what was measured otherwise.
func (t denoiseTask) apply(c *call, p *photo) error {
	if t.Simulate && p.clean == nil {
		p.clean = p.noisy
	}
	var seen *degrade.Observation
	var err error
	switch {
	case c.IsSet("hole"):
		seen, err = inpainting(c, p)
	case t.Name == "super-resolution" && !t.Simulate:
		return enlarged(c, p)
	case !t.Simulate:
		return nil
	case t.Name == "gaussian":
		p.noisy, err = addNoise(p.clean, t.Settings["sigma"], c.Common.Seed)
		return err
	default:
		if seen, err = degrade.Observe(t.Name, t.Settings, p.clean.Tensor(), c.Common.Seed); err != nil {
			return &Error{File: c.Arg(0), Err: err, Hint: t.remedy(), Code: exitInput}
		}
	}
	if err != nil {
		return err
	}
	return p.observe(seen)
}

// remedy is what to do about a photo that the task does not take.
func (t denoiseTask) remedy() string {
	if t.Name == "super-resolution" {
		return "cut the photo to a multiple of --factor, or give a --size whose sides are multiples of it"
	}
	return "give a smaller --size"
}

// inpainting reads the picture of --hole.
func inpainting(c *call, p *photo) (*degrade.Observation, error) {
	hole, hash, err := readImage(c.Text("hole"), c.Int("size"))
	if err != nil {
		return nil, err
	}
	p.hash += "+" + hash
	if hole.Width != p.noisy.Width || hole.Height != p.noisy.Height {
		return nil, refused(c.Text("hole"), fmt.Errorf("the picture of what is missing is %d x %d, the photo %d x %d: they must show the same pixels",
			hole.Width, hole.Height, p.noisy.Width, p.noisy.Height))
	}
	n := hole.Width * hole.Height
	weight := onnx.NewTensor(onnx.Float, 1, 1, int64(hole.Height), int64(hole.Width))
	missing := 0
	for i := range n {
		white := true // a pixel is missing where it is nearer to white
		for ch := range hole.Channels {
			white = white && hole.Pix[ch*n+i] >= 0.5
		}
		weight.Float32s()[i] = 1
		if white {
			weight.Float32s()[i] = 0
			missing++
		}
	}
	switch missing {
	case 0:
		return nil, &Error{File: c.Text("hole"), Reason: "the picture of what is missing has no white pixel", Hint: "paint white what is to be filled in", Code: exitInput}
	case n:
		return nil, &Error{File: c.Text("hole"), Reason: "the picture of what is missing is white everywhere", Hint: "leave black what is there", Code: exitInput}
	}
	return degrade.Inpainting(p.noisy.Tensor(), weight)
}

// enlarged makes the photo what was measured of one that is --factor times larger.
func enlarged(c *call, p *photo) error {
	k := c.Int("factor")
	if pixels := p.noisy.Width * p.noisy.Height * k * k; pixels > mostPixels {
		return &Error{File: c.Arg(0), Hint: "give a smaller --factor", Code: exitInput,
			Reason: fmt.Sprintf("%d x %d pixels enlarged %d times are more than %d megapixels", p.noisy.Width, p.noisy.Height, k, mostPixels/1_000_000)}
	}
	seen, err := degrade.SuperResolution(p.noisy.Tensor(), int64(k))
	if err != nil {
		return refused(c.Arg(0), err)
	}
	if p.noisy, err = p.noisy.Zoom(0, 0, p.noisy.Width, p.noisy.Height, k); err != nil {
		return refused(c.Arg(0), err)
	}
	p.seen = seen
	return nil
}

// mostPixels bounds what is drawn, as it bounds what is read.
const mostPixels = 40_000_000

// observe makes what was seen the photo's.
func (p *photo) observe(seen *degrade.Observation) (err error) {
	if seen.Graph != nil {
		p.seen = seen
	}
	p.noisy, err = p.noisy.WithPix(seen.Plain.Float32s())
	return err
}

// smaller is the photo with a longer side of so many pixels; nil where what was measured has no smaller version.
func (p *photo) smaller(side int) (*photo, error) {
	out := &photo{name: p.name, hash: p.hash}
	var err error
	resize := func(m *dataset.Image) *dataset.Image {
		if m == nil || err != nil {
			return nil
		}
		m, err = m.Resize(side)
		return m
	}
	out.noisy, out.clean = resize(p.noisy), resize(p.clean)
	if err != nil || p.seen == nil {
		return out, err
	}
	switch {
	case p.seen.Weight != nil: // the mean of what is there, which counts for as much as is there
		there, err := (&dataset.Image{Width: p.noisy.Width, Height: p.noisy.Height, Channels: 1, Depth: 8, Pix: p.seen.Weight.Float32s()}).Resize(side)
		if err != nil {
			return nil, err
		}
		for i := range out.noisy.Pix {
			if w := there.Pix[i%len(there.Pix)]; w > 0 {
				out.noisy.Pix[i] = min(1, out.noisy.Pix[i]/w)
			}
		}
		out.seen, err = degrade.Inpainting(out.noisy.Tensor(), there.Tensor())
		return out, err
	case p.seen.Y.Dims[0] == 1: // means of groups: what they show, smaller, is a picture
		return out, nil
	}
	return nil, nil
}
