package op

import (
	"fmt"

	"graft/onnx"
)

// Operators on pictures and what is found in them.
var vision = []Schema{
	row("ImageDecoder", 20, 1, 1, accepted{{20, setOf(onnx.Uint8)}}, inferImageDecoder, "pixel_format"),
	row("NonMaxSuppression", 10, 2, 5, accepted{{10, setOf(onnx.Float)}}, inferNonMaxSuppression, "center_point_box"),
}

// inferImageDecoder: a file's bytes to [height, width, channels].
func inferImageDecoder(n *onnx.Node) ([]onnx.TensorType, error) {
	if x := shapeOf(n, 0); x.Ranked() && len(x) != 1 {
		return nil, fmt.Errorf("input has rank %d, wants 1", len(x))
	}
	channels := size(3)
	switch f := onnx.AttrOr(n, "pixel_format", "RGB"); f {
	case "RGB", "BGR":
	case "Grayscale":
		channels = size(1)
	default:
		return nil, fmt.Errorf("pixel_format %q is not RGB, BGR or Grayscale", f)
	}
	return one(onnx.Uint8, onnx.Shape{onnx.UnknownDim, onnx.UnknownDim, channels}), nil
}

// inferNonMaxSuppression: boxes [batch, boxes, 4] and scores [batch, classes, boxes] to the places [kept, 3] of those kept.
func inferNonMaxSuppression(n *onnx.Node) ([]onnx.TensorType, error) {
	boxes, scores := shapeOf(n, 0), shapeOf(n, 1)
	for i, s := range []onnx.Shape{boxes, scores} {
		if s.Ranked() && len(s) != 3 {
			return nil, fmt.Errorf("input %d has rank %d, wants 3", i, len(s))
		}
	}
	if boxes.Ranked() && scores.Ranked() {
		_, batch := mergeDim(boxes[0], scores[0])
		_, count := mergeDim(boxes[1], scores[2])
		_, four := mergeDim(boxes[2], size(4))
		if !batch || !count || !four {
			return nil, fmt.Errorf("boxes %v and scores %v do not match", boxes, scores)
		}
	}
	return one(onnx.Int64, onnx.Shape{onnx.UnknownDim, size(3)}), nil
}
