package export

import (
	"fmt"

	"graft/onnx"
	"graft/onnx/op"
)

// Crop is a copy of m whose only output, an image [N,C,H,W], is cut to a rectangle of pixels. The output keeps its name. A
// generator draws a padded frame; what is handed out has the photo's size.
func Crop(m *onnx.Model, x, y, width, height int64) (*onnx.Model, error) {
	out := m.Clone()
	g := out.Graph
	if len(g.Outputs()) != 1 {
		return nil, fmt.Errorf("crop: the model has %d outputs, wants one image", len(g.Outputs()))
	}
	image := g.Outputs()[0]
	size, ok := image.Type.Shape.Sizes()
	if !ok || len(size) != 4 {
		return nil, fmt.Errorf("crop: the output %q is %v, wants [N C H W] of known size", image.Name, image.Type)
	}
	if x < 0 || y < 0 || width < 1 || height < 1 || width > size[3] || height > size[2] || x > size[3]-width || y > size[2]-height {
		return nil, fmt.Errorf("crop: %d x %d pixels at (%d, %d) are not inside %d x %d", width, height, x, y, size[3], size[2])
	}
	if width == size[3] && height == size[2] {
		return out, nil
	}
	b := op.NewBuilder(g)
	part := b.Slice(image, op.SliceSpec{Axis: 2, Start: y, End: y + height}, op.SliceSpec{Axis: 3, Start: x, End: x + width})
	if err := b.Err(); err != nil {
		return nil, fmt.Errorf("crop: %w", err)
	}
	part.Name, image.Name = image.Name, image.Name+".padded"
	g.SetOutputs(part)
	return out, nil
}
