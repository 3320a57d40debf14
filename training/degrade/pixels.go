package degrade

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"math"

	"graft/onnx"
	"graft/training/setting"
)

var inpaint = Row{Name: "inpaint", Doc: "pixels that are missing, by chance",
	Settings: []setting.Setting{{Name: "missing", Usage: "fraction of the pixels", Default: 0.5, High: 1}},
	Make: func(v setting.Values, clean *onnx.Tensor, seed uint64) (*Observation, error) {
		there := onnx.NewTensor(onnx.Float, 1, 1, clean.Dims[2], clean.Dims[3])
		for i, u := range uniform(there.Len(), seed, "inpaint") {
			if float64(u) >= v["missing"] {
				there.Float32s()[i] = 1
			}
		}
		return Inpainting(clean, there)
	}}

var superResolution = Row{Name: "super-resolution", Doc: "means of square groups of pixels",
	Settings: []setting.Setting{{Name: "factor", Usage: "pixels along a side of a group", Default: 2, Low: 2, High: 17}},
	Make: func(v setting.Values, clean *onnx.Tensor, _ uint64) (*Observation, error) {
		k := int64(v["factor"])
		height, width := clean.Dims[2], clean.Dims[3]
		if height%k != 0 || width%k != 0 {
			return nil, fmt.Errorf("%dx%d pixels do not divide into groups of %d", width, height, k)
		}
		y := onnx.NewTensor(onnx.Float, 1, clean.Dims[1], height/k, width/k)
		for i, x := range clean.Float32s() {
			plane, row, column := int64(i)/(height*width), int64(i)/width%height, int64(i)%width
			y.Float32s()[(plane*(height/k)+row/k)*(width/k)+column/k] += x / float32(k*k)
		}
		return SuperResolution(y, k)
	}}

var jpegArtefacts = Row{Name: "jpeg", Doc: "what JPEG leaves of the picture",
	Settings: []setting.Setting{{Name: "quality", Usage: "of JPEG, 1 to 100", Default: 10, Low: 1, High: 101}},
	Make: func(v setting.Values, clean *onnx.Tensor, _ uint64) (*Observation, error) {
		channels, height, width := clean.Dims[1], int(clean.Dims[2]), int(clean.Dims[3])
		if channels != 1 && channels != 3 {
			return nil, fmt.Errorf("%d channels, wants 1 or 3", channels)
		}
		level := func(c, i, j int) uint8 {
			return uint8(math.Round(255 * float64(max(0, min(1, clean.Float32s()[(c*height+i)*width+j])))))
		}
		picture := image.NewRGBA(image.Rect(0, 0, width, height))
		for i := range height {
			for j := range width {
				p := color.RGBA{level(0, i, j), 0, 0, 255}
				p.G, p.B = p.R, p.R
				if channels == 3 {
					p.G, p.B = level(1, i, j), level(2, i, j)
				}
				picture.SetRGBA(j, i, p)
			}
		}
		var file bytes.Buffer
		if err := jpeg.Encode(&file, picture, &jpeg.Options{Quality: int(v["quality"])}); err != nil {
			return nil, err
		}
		back, err := jpeg.Decode(&file)
		if err != nil {
			return nil, err
		}
		y := onnx.NewTensor(onnx.Float, clean.Dims...)
		for i := range height {
			for j := range width {
				r, g, b, _ := back.At(j, i).RGBA()
				for c, x := range []uint32{r, g, b}[:channels] {
					y.Float32s()[(c*height+i)*width+j] = float32(x) / 65535
				}
			}
		}
		return seen(y), nil
	}}
