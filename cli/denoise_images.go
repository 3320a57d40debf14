package cli

import (
	"bytes"

	"graft/onnx"
	"graft/training/dataset"
	"graft/training/metric"
	"graft/training/oes"
)

// cropTo is the part of an image [1,C,H,W] inside a region: a copy.
func cropTo(t *onnx.Tensor, r oes.Region) (*onnx.Tensor, error) {
	m, err := dataset.FromTensor(t)
	if err != nil {
		return nil, err
	}
	if m, err = m.Crop(r.X, r.Y, r.Width, r.Height); err != nil {
		return nil, err
	}
	return m.Tensor(), nil
}

// picture is what was drawn, in the run's frame or at the photo's size, with the photo's depth and alpha.
func (d *denoising) picture(t *onnx.Tensor) (*dataset.Image, error) {
	noisy := d.photo.noisy
	if t.Dims[2] != int64(noisy.Height) || t.Dims[3] != int64(noisy.Width) {
		var err error
		if t, err = cropTo(t, d.problem.Region); err != nil {
			return nil, err
		}
	}
	return noisy.WithPix(t.Float32s())
}

// ssim compares a picture with the clean photo; it is known only where that is.
func (d *denoising) ssim(m *dataset.Image) *float64 {
	if d.photo.clean == nil {
		return nil
	}
	return psnr(metric.SSIM(m.Pix, d.photo.clean.Pix, m.Height, m.Width))
}

// images encodes the pictures of the run at the photo's size, by their captions.
func (d *denoising) images(r *denoised) (map[string][]byte, error) {
	out := map[string][]byte{}
	put := func(name string, m *dataset.Image) error {
		var b bytes.Buffer
		err := dataset.WritePNG(&b, m)
		out[name] = b.Bytes()
		return err
	}
	if err := put(d.task.adjective(), d.photo.noisy); err != nil {
		return nil, err
	}
	if d.photo.clean != nil {
		if err := put("clean", d.photo.clean); err != nil {
			return nil, err
		}
	}
	for _, p := range append([]namedImage{{d.task.participle(), r.fit.Image}, {"mask only", r.masked}}, r.baselines...) {
		m, err := d.picture(p.Image)
		if err == nil {
			err = put(p.Name, m)
		}
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// captions are the names of the pictures in the order in which they are shown.
func (d *denoising) captions(r *denoised) []string {
	list := []string{d.task.adjective(), d.task.participle(), "clean", "mask only"}
	for _, b := range r.baselines {
		list = append(list, b.Name)
	}
	return list
}
