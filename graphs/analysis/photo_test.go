package analysis

import (
	"image/png"
	"os"
	"path/filepath"
	"testing"

	"graft/onnx"
	"graft/onnx/noise"
)

// testPhoto is what denoisers are judged by; what they are tuned on is other photographs.
const testPhoto = "camera.png"

// photo is the middle of a photograph of the repository, grey, [1,1,side,side].
func photo(t testing.TB, name string, side int) *onnx.Tensor {
	t.Helper()
	f, err := os.Open(filepath.Join("..", "..", "testdata", "images", name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	x := onnx.NewTensor(onnx.Float, 1, 1, int64(side), int64(side))
	at := m.Bounds().Min
	at.X, at.Y = at.X+(m.Bounds().Dx()-side)/2, at.Y+(m.Bounds().Dy()-side)/2
	for i := range side * side {
		r, g, b, _ := m.At(at.X+i%side, at.Y+i/side).RGBA()
		x.Float32s()[i] = float32(r+g+b) / (3 * 65535)
	}
	return x
}

// noisyPhoto is a photo with noise of 25/255.
func noisyPhoto(t testing.TB, name string, side int) *onnx.Tensor {
	t.Helper()
	x := photo(t, name, side)
	n := make([]float32, len(x.Float32s()))
	noise.Normal(n, noise.NewKey(1, "noise", 0))
	for i, v := range n {
		x.Float32s()[i] += 25.0 / 255 * v
	}
	return x
}
