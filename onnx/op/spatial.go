package op

import (
	"fmt"

	"graft/onnx"
)

// Operators that move pixels: sampling grids, crops, columns.
var spatial = []Schema{
	row("AffineGrid", 20, 2, 2, accepted{{20, floats | bfloat}}, inferAffineGrid, "align_corners"),
	row("CenterCropPad", 18, 2, 2, accepted{{18, anything | bfloat}}, inferCenterCropPad, "axes"),
	row("Col2Im", 18, 3, 3, accepted{{18, anything | bfloat}}, inferCol2Im, "strides", "pads", "dilations"),
	row("DeformConv", 19, 3, 5, floats22, inferDeformConv, "kernel_shape", "strides", "pads", "dilations", "group", "offset_group"),
	row("GridSample", 16, 2, 2, accepted{{16, anything}, {22, bfloat}}, inferGridSample, "mode", "padding_mode", "align_corners").lowest(gridSampleLowest),
	row("RoiAlign", 16, 3, 3, floats22, inferRoiAlign, "mode", "output_height", "output_width", "sampling_ratio",
		"spatial_scale", "coordinate_transformation_mode"),
}

// GridSampleAttrs are the attributes of GridSample in the names of opset 20.
type GridSampleAttrs struct {
	Mode    string // linear (the default), nearest, cubic
	Padding string // zeros (the default), border, reflection
	Align   bool   // the corners' centres, not their edges, are at -1 and 1
}

// GridSampleAttrsOf reads them, of the older names too.
func GridSampleAttrsOf(n *onnx.Node) GridSampleAttrs {
	a := GridSampleAttrs{Mode: onnx.AttrOr(n, "mode", "linear"), Padding: onnx.AttrOr(n, "padding_mode", "zeros"),
		Align: onnx.AttrOr(n, "align_corners", int64(0)) != 0}
	switch a.Mode {
	case "bilinear":
		a.Mode = "linear"
	case "bicubic":
		a.Mode = "cubic"
	}
	return a
}

// gridSampleLowest: opset 20 brought other ranks, and other names of the modes.
func gridSampleLowest(n *onnx.Node) int64 {
	switch onnx.AttrOr(n, "mode", "") {
	case "linear", "cubic":
		return 20
	}
	if s := shapeOf(n, 0); s.Ranked() && len(s) != 4 {
		return 20
	}
	return 16
}

// inferAffineGrid: theta [N,2,3] or [N,3,4] and a size [N,C,(D,)H,W] to [N,(D,)H,W,2 or 3].
func inferAffineGrid(n *onnx.Node) ([]onnx.TensorType, error) {
	d := dtypeOf(n, 0)
	dims, known := elementsOf(n.Input(1))
	if !known {
		length, err := lengthOf(n, 1)
		if err != nil || length < 0 {
			return one(d, nil), err
		}
		dims = make([]element, length)
	}
	if len(dims) != 4 && len(dims) != 5 {
		return nil, fmt.Errorf("size has %d entries, wants 4 or 5", len(dims))
	}
	if t := shapeOf(n, 0); t.Ranked() && len(t) != 3 {
		return nil, fmt.Errorf("theta has rank %d, wants 3", len(t))
	}
	s := onnx.Shape{dims[0].dim()}
	for _, e := range dims[2:] {
		if e.known && (e.i < 0 || e.i > maxSize) {
			return nil, fmt.Errorf("size %d is not possible", e.i)
		}
		s = append(s, e.dim())
	}
	return one(d, append(s, size(int64(len(dims)-2)))), nil
}

// inferCenterCropPad: the sizes of the axes as asked for.
func inferCenterCropPad(n *onnx.Node) ([]onnx.TensorType, error) {
	d, x := dtypeOf(n, 0), shapeOf(n, 0)
	if !x.Ranked() {
		return one(d, nil), nil
	}
	axes := onnx.AttrOr[[]int64](n, "axes", nil)
	if _, given := n.Attr("axes"); !given {
		for i := range x {
			axes = append(axes, int64(i))
		}
	}
	if _, err := axesOf(axes, len(x)); err != nil {
		return nil, err
	}
	s := x.Clone()
	_, err := sizesFrom(n, 1, axes, s)
	return one(d, s), err
}

// inferCol2Im: columns [N, C product(block), L] to the image [N, C, ...image_shape].
func inferCol2Im(n *onnx.Node) ([]onnx.TensorType, error) {
	d, x := dtypeOf(n, 0), shapeOf(n, 0)
	if x.Ranked() && len(x) != 3 {
		return nil, fmt.Errorf("input has rank %d, wants 3", len(x))
	}
	image, known := elementsOf(n.Input(1))
	if !known {
		length, err := lengthOf(n, 1)
		if err != nil || length < 0 {
			return one(d, nil), err
		}
		image = make([]element, length)
	}
	s := onnx.Shape{onnx.UnknownDim, onnx.UnknownDim}
	if x.Ranked() {
		s[0] = x[0]
		if block, ok := ConstantInts(n.Input(2)); ok && x[1].Known() {
			area := int64(1)
			for _, k := range block {
				if area, ok = mul(area, k); !ok || k < 1 {
					return nil, fmt.Errorf("block %v is not possible", block)
				}
			}
			if x[1].Size%area != 0 {
				return nil, fmt.Errorf("%d rows are no multiple of the block's %d elements", x[1].Size, area)
			}
			s[1] = size(x[1].Size / area)
		}
	}
	for _, e := range image {
		if e.known && (e.i < 0 || e.i > maxSize) {
			return nil, fmt.Errorf("size %d is not possible", e.i)
		}
		s = append(s, e.dim())
	}
	return one(d, s), nil
}

// inferGridSample: x [N,C,...] at the places of grid [N,...,spatial rank]: [N,C,...].
func inferGridSample(n *onnx.Node) ([]onnx.TensorType, error) {
	d, x, grid := dtypeOf(n, 0), shapeOf(n, 0), shapeOf(n, 1)
	if !x.Ranked() || !grid.Ranked() {
		return one(d, nil), nil
	}
	if len(x) < 3 || len(grid) != len(x) {
		return nil, fmt.Errorf("x has rank %d, grid %d: they must agree and be 3 or more", len(x), len(grid))
	}
	batch, ok := mergeDim(x[0], grid[0])
	last := grid[len(grid)-1]
	if !ok || last.Known() && last.Size != int64(len(x)-2) {
		return nil, fmt.Errorf("grid %v does not fit x %v", grid, x)
	}
	s := append(onnx.Shape{batch, x[1]}, grid[1:len(grid)-1]...)
	return one(d, s), nil
}

// inferRoiAlign: x [N,C,H,W] and R regions to [R,C,output_height,output_width].
func inferRoiAlign(n *onnx.Node) ([]onnx.TensorType, error) {
	d, x, rois, at := dtypeOf(n, 0), shapeOf(n, 0), shapeOf(n, 1), shapeOf(n, 2)
	h, w := onnx.AttrOr(n, "output_height", int64(1)), onnx.AttrOr(n, "output_width", int64(1))
	if h < 1 || w < 1 || h > maxParam || w > maxParam {
		return nil, fmt.Errorf("an output of %dx%d is not possible", h, w)
	}
	if x.Ranked() && len(x) != 4 || rois.Ranked() && len(rois) != 2 || at.Ranked() && len(at) != 1 {
		return nil, fmt.Errorf("x %v, rois %v, batch_indices %v: wants ranks 4, 2 and 1", x, rois, at)
	}
	s := onnx.Shape{onnx.UnknownDim, onnx.UnknownDim, size(h), size(w)}
	if rois.Ranked() {
		s[0] = rois[0]
	}
	if at.Ranked() {
		var ok bool
		if s[0], ok = mergeDim(s[0], at[0]); !ok {
			return nil, fmt.Errorf("rois %v and batch_indices %v differ", rois, at)
		}
	}
	if x.Ranked() {
		s[1] = x[1]
	}
	return one(d, s), nil
}
