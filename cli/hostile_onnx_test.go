package cli

import "testing"

// modelLines are the verbs that read a model.
var modelLines = []string{
	"inspect $DIR/hostile.onnx",
	"check $DIR/hostile.onnx",
	"simplify $DIR/hostile.onnx --out $OUT.onnx",
	"convert $DIR/hostile.onnx --out $OUT.onnx --opset 18",
	"prune $DIR/hostile.onnx --out $OUT.onnx --method magnitude --sparsity 0.5",
	"artifacts $DIR/hostile.onnx --out $OUT --loss mse --optimizer adam",
	"export $DIR/hostile.onnx --out $OUT.onnx",
	"run $DIR/hostile.onnx --out $OUT",
}

func TestHostileModels(t *testing.T) {
	refuseThrough(t, []hostile{
		{id: "O01 empty", make: file("hostile.onnx", nil), says: "empty"},
	}, modelLines...)
}
