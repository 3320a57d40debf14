package cli

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"graft/onnx"
	"graft/training/dataset"
	"graft/training/dataset/datasettest"
)

// TestDenoiseLearnedFinite: pixels that are no numbers are refused, and a model that makes such is told of with what to do.
func TestDenoiseLearnedFinite(t *testing.T) {
	shape := onnx.Shape{{Symbol: "N"}, {Symbol: "C"}, {Symbol: "H"}, {Symbol: "W"}}
	image := onnx.NewGraph("g").AddInput("x", onnx.TensorType{DType: onnx.Float, Shape: shape})
	for _, bad := range []float64{math.NaN(), math.Inf(-1)} {
		m := &dataset.Image{Width: 2, Height: 2, Channels: 1, Pix: []float32{0, 1, float32(bad), 0}}
		l := &learning{call: &call{Args: []string{"photo.png"}}, model: &onnx.Model{}, path: "d.onnx", image: image, photo: &photo{noisy: m}}
		if _, err := l.frames(); err == nil || !strings.Contains(err.Error(), fmt.Sprint("sample 2 is ", float32(bad))) {
			t.Errorf("%g: %v", bad, err)
		}
	}
	if runtimeLibrary() == "" {
		t.Skip("needs ONNX Runtime")
	}
	dir := t.TempDir()
	data, err := parsed17(`g (float[N,C,H,W] x) => (float[N,C,H,W] y) { z = Sub(x, x)
		y = Div(x, z) }`)
	if err != nil {
		t.Fatal(err)
	}
	photo := filepath.Join(dir, "photo.png")
	model := filepath.Join(dir, "d.onnx")
	for path, data := range map[string][]byte{model: data, photo: datasettest.PNG(t, datasettest.Corners(40, 40))} {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var out, message bytes.Buffer
	code := NewApp(strings.NewReader(""), &out, &message).Run(t.Context(), []string{"graft", "denoise", photo, "--method", "learned", "--model", model, "--out", filepath.Join(dir, "out"), "--ort-lib", runtimeLibrary()})
	if code != exitRuntime || !strings.Contains(message.String(), "for sample 0") || !strings.Contains(message.String(), "the model is not made for this picture") {
		t.Errorf("exit code %d\n%s", code, message.String())
	}
	if _, err := os.Stat(filepath.Join(dir, "out")); err == nil {
		t.Error("the folder is there")
	}
}
