package export

import (
	"context"
	"testing"

	"graft/graphs"
	"graft/onnx"
	"graft/onnx/noise"
	"graft/runtime/runtimetest"
)

func TestCropCutsTheOutput(t *testing.T) {
	m, err := graphs.Hourglass{Channels: []int64{4}, In: 2, Height: 8, Width: 12}.Build(1)
	if err != nil {
		t.Fatal(err)
	}
	cut, err := Crop(m, 3, 1, 7, 5)
	if err != nil {
		t.Fatal(err)
	}
	z := onnx.NewTensor(onnx.Float, 1, 2, 8, 12)
	noise.Uniform(z.Float32s(), noise.NewKey(1, "z", 0))
	feeds := map[string]*onnx.Tensor{"z": z}
	draw := func(m *onnx.Model) *onnx.Tensor {
		got, err := outputs(context.Background(), m, feeds, runtimetest.Options(t))
		if err != nil {
			t.Fatal(err)
		}
		return got[0].tensor
	}
	whole, part := draw(m), draw(cut)
	if got, want := part.Type().String(), onnx.TypeOf(onnx.Float, 1, 3, 5, 7).String(); got != want {
		t.Fatalf("the cropped output is %s, want %s", got, want)
	}
	for c := range 3 {
		for y := range 5 {
			for x := range 7 {
				if a, b := whole.Float32s()[(c*8+y+1)*12+x+3], part.Float32s()[(c*5+y)*7+x]; a != b {
					t.Fatalf("pixel (%d, %d) of channel %d is %v, want %v", x, y, c, b, a)
				}
			}
		}
	}
}

func TestCropRefusesWhatIsOutside(t *testing.T) {
	m, err := graphs.Hourglass{Channels: []int64{4}, In: 2, Height: 8, Width: 12}.Build(1)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range [][4]int64{{-1, 0, 4, 4}, {0, 0, 13, 4}, {0, 5, 4, 4}, {0, 0, 0, 4}, {1 << 62, 0, 1 << 62, 4}} {
		if _, err := Crop(m, r[0], r[1], r[2], r[3]); err == nil {
			t.Errorf("crop %v was taken", r)
		}
	}
}
