package cli

import (
	"fmt"
	"slices"

	"graft/onnx"
	"graft/runtime"
	"graft/training/dataset"
)

// pixelScale says what of a picture's sample x in [0, 1] a float input gets: (x - mean) / std, by channel.
type pixelScale struct{ mean, std []float64 }

// pixelScale reads --mean and --std.
func (c *call) pixelScale() (s pixelScale, err error) {
	for _, f := range []struct {
		name string
		to   *[]float64
	}{{"mean", &s.mean}, {"std", &s.std}} {
		for _, text := range c.List(f.name) {
			x, err := parseNumber(text)
			if err != nil || f.name == "std" && x <= 0 {
				return s, misuse("--%s %s: wants numbers, one or one a channel; --std above 0", f.name, quote(text))
			}
			*f.to = append(*f.to, x)
		}
		if n := len(*f.to); n != 0 && n != 1 && n != 3 {
			return s, misuse("--%s has %d numbers: wants one, or three", f.name, n)
		}
	}
	return s, nil
}

// of is the scaled sample of a channel.
func (s pixelScale) of(x float32, channel int) float32 {
	pick := func(list []float64, otherwise float64) float64 {
		if len(list) == 0 {
			return otherwise
		}
		return list[min(channel, len(list)-1)]
	}
	if len(s.mean)+len(s.std) == 0 {
		return x
	}
	return float32((float64(x) - pick(s.mean, 0)) / pick(s.std, 1))
}

// frame is how an input takes a picture.
type frame struct {
	channels, height, width int // 0: as the picture has it
	last                    bool
	rank                    int
}

// frameOf reads an input's shape: [1 C H W], [1 H W C], or without the first.
func frameOf(s onnx.Shape) (f frame, ok bool) {
	f.rank = len(s)
	switch len(s) {
	case 4:
		if s[0].Known() && s[0].Size != 1 {
			return f, false
		}
		s = s[1:]
	case 3:
	default:
		return f, false
	}
	colour := func(d onnx.Dim) bool { return d.Known() && (d.Size == 1 || d.Size == 3) }
	if !colour(s[0]) && colour(s[2]) {
		f.last = true
		s = onnx.Shape{s[2], s[0], s[1]}
	}
	if s[0].Known() && !colour(s[0]) {
		return f, false
	}
	const largest = 8192
	size := func(d onnx.Dim) int {
		if d.Known() {
			return int(min(d.Size, largest+1))
		}
		return 0
	}
	f.channels, f.height, f.width = size(s[0]), size(s[1]), size(s[2])
	return f, f.height <= largest && f.width <= largest && (!s[1].Known() || f.height > 0) && (!s[2].Known() || f.width > 0)
}

// imageFeed reads a picture, at the size and with the channels that the input has.
func imageFeed(g *onnx.Graph, scale pixelScale, feeds map[string]*onnx.Tensor, name, path string) error {
	v, err := theInput(g, name, path)
	if err != nil {
		return err
	}
	f, ok := frameOf(v.Type.Shape)
	if !ok || !v.Type.DType.IsFloat() && v.Type.DType != onnx.Uint8 {
		return refused(path, fmt.Errorf("is a picture, input %s is %v: wants float or uint8 of [1 C H W] or [1 H W C] with C of 1 or 3", quote(v.Name), v.Type))
	}
	m, err := dataset.ReadPicture(path, f.channels, f.height, f.width)
	if err != nil {
		return refused(path, err)
	}
	n := m.Width * m.Height
	values := make([]float32, len(m.Pix))
	for channel := range m.Channels {
		for i, x := range m.Pix[channel*n : (channel+1)*n] {
			at := channel*n + i
			if f.last {
				at = i*m.Channels + channel
			}
			values[at] = scale.of(min(1, max(0, x)), channel)
		}
	}
	dims := []int64{1, int64(m.Channels), int64(m.Height), int64(m.Width)}
	if f.last {
		dims = []int64{1, dims[2], dims[3], dims[1]}
	}
	dims = slices.Clone(dims[4-f.rank:])
	t := onnx.FromSlice(values, dims...)
	switch v.Type.DType {
	case onnx.Float:
	case onnx.Uint8:
		if len(scale.mean)+len(scale.std) > 0 {
			return misuse("--mean and --std are for float inputs, %s is uint8", quote(v.Name))
		}
		t = onnx.NewTensor(onnx.Uint8, dims...)
		for i, x := range values {
			t.Data[i] = byte(x*255 + 0.5)
		}
	default:
		if t, err = runtime.Floats(t, v.Type.DType); err != nil {
			return runtimeError(err, path)
		}
	}
	feeds[v.Name] = t
	return nil
}
