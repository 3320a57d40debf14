package graphs

import (
	"slices"
	"strings"
	"testing"

	"graft/onnx"
)

func count(m *onnx.Model) (n int64) {
	for _, v := range m.Graph.Initializers() {
		n += v.Const.Len()
	}
	return n
}

func TestPublishedParameterCounts(t *testing.T) {
	for name, want := range map[string]int64{"hourglass": 3_008_867, "skip": 2_217_831, "deepdecoder": 100_224} {
		e, err := Find(name)
		if err != nil {
			t.Fatal(err)
		}
		m, err := e.Presets["paper"].Build(0)
		if err != nil {
			t.Fatal(err)
		}
		if got := count(m); got != want {
			t.Errorf("%s: %d parameters, want %d", name, got, want)
		}
		out := m.Graph.Outputs()[0].Type
		if want := onnx.TypeOf(onnx.Float, 1, 3, 512, 512); out.String() != want.String() {
			t.Errorf("%s: output %v, want %v", name, out, want)
		}
	}
}

// ResNet-20 has 0.27 M parameters in He et al.'s table 6; here the shortcuts are 1x1 convolutions, with norms.
func TestClassifiers(t *testing.T) {
	for _, c := range []struct {
		n      Network
		params int64
		in     string
	}{
		{ResNet{}, 269_722 + 16*32 + 32*64 + 4*(32+64) + 2*(16+3*2*16+3*2*32+3*2*64), "float [N 3 32 32]"},
		{MLP{}, 784*256 + 256 + 256*256 + 256 + 2560 + 10, "float [N 784]"},
	} {
		m, err := c.n.Build(0)
		if err != nil {
			t.Fatal(err)
		}
		if got := count(m); got != c.params {
			t.Errorf("%T: %d parameters and statistics, want %d", c.n, got, c.params)
		}
		in, out := m.Graph.Inputs()[0], m.Graph.Outputs()[0]
		if in.Type.String() != c.in || out.Name != "logits" || out.Type.String() != "float [N 10]" {
			t.Errorf("%T: %s %v -> %s %v", c.n, in.Name, in.Type, out.Name, out.Type)
		}
	}
}

// TestFullSize counts the parameters of networks without scales by hand, at a size that nothing divides.
func TestFullSize(t *testing.T) {
	conv := func(in, out, kernel int64) int64 { return out*in*kernel*kernel + out }
	for _, c := range []struct {
		n      Network
		params int64
	}{
		{CNN{Channels: []int64{4, 6}, Repeats: 2, In: 5, Height: 37, Width: 41}, conv(5, 4, 3) + conv(4, 6, 3) + conv(6, 4, 3) + conv(4, 6, 3) + 2*20 + conv(6, 3, 1)},
		{Residual{Channels: 4, Blocks: 2, In: 5, Height: 37, Width: 41}, conv(5, 4, 3) + 5*(conv(4, 4, 3)+2*4) + conv(4, 3, 3)},
	} {
		m, err := c.n.Build(0)
		if err != nil {
			t.Fatal(err)
		}
		if got := count(m); got != c.params {
			t.Errorf("%T: %d parameters, want %d", c.n, got, c.params)
		}
		if out := m.Graph.Outputs()[0].Type.String(); out != "float [1 3 37 41]" {
			t.Errorf("%T: output %s", c.n, out)
		}
	}
}

func TestHourglassModuleOrder(t *testing.T) {
	m, err := Hourglass{Channels: []int64{4, 8}, In: 3, Height: 16, Width: 24}.Build(1)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, v := range m.Graph.Initializers() {
		got = append(got, v.Name)
	}
	var want []string
	layer := func(conv, bn string) {
		want = append(want, conv+".weight", conv+".bias", bn+".weight", bn+".bias")
	}
	layer("s0.down1.conv", "s0.down1.bn")
	layer("s0.down2.conv", "s0.down2.bn")
	layer("s1.down1.conv", "s1.down1.bn")
	layer("s1.down2.conv", "s1.down2.bn")
	want = append(want, "s1.merge.bn.weight", "s1.merge.bn.bias")
	layer("s1.up.conv", "s1.up.bn")
	want = append(want, "s0.merge.bn.weight", "s0.merge.bn.bias")
	layer("s0.up.conv", "s0.up.bn")
	want = append(want, "out.conv.weight", "out.conv.bias")
	if !slices.Equal(got, want) {
		t.Errorf("module order:\n got %s\nwant %s", strings.Join(got, " "), strings.Join(want, " "))
	}
}

func TestSameSeedSameWeights(t *testing.T) {
	build := func(seed uint64) []byte {
		m, err := QuickHourglass.Build(seed)
		if err != nil {
			t.Fatal(err)
		}
		return m.Graph.Initializers()[0].Const.Data
	}
	if !slices.Equal(build(5), build(5)) {
		t.Error("one seed gave two networks")
	}
	if slices.Equal(build(5), build(6)) {
		t.Error("two seeds gave one network")
	}
}

func TestInitialWeightsAreInTheirBounds(t *testing.T) {
	m, err := QuickHourglass.Build(3)
	if err != nil {
		t.Fatal(err)
	}
	w := m.Graph.Lookup("s0.down1.conv.weight").Const.Float32s()
	bound := float32(0.0353554) // 1/sqrt(32*25)
	lo, hi := slices.Min(w), slices.Max(w)
	if lo < -bound || hi > bound || lo > -0.99*bound || hi < 0.99*bound {
		t.Errorf("weights from %g to %g, want to fill (-%g, %g)", lo, hi, bound, bound)
	}
	if g := m.Graph.Lookup("s0.down1.bn.weight").Const.Float32s(); slices.Min(g) != 1 || slices.Max(g) != 1 {
		t.Error("norm scales do not start at 1")
	}
}

func TestRefusals(t *testing.T) {
	for want, n := range map[string]Network{
		"side 100: wants a multiple of 64":    Hourglass{Height: 100},
		"too small to reflect":                Hourglass{Height: 64, Width: 64},
		"kernel 4: wants an odd size":         Hourglass{DownKernel: 4},
		"0 to 4096":                           Skip{Bypass: []int64{-1, 0, 0, 0, 0}},
		"-3 channels":                         Hourglass{Channels: []int64{16, -3}},
		"11 layers":                           DeepDecoder{Layers: 11},
		"side 513: wants a multiple of 16 up": UNet{Height: 513},
		"side 2: wants 4 to 4096":             ResNet{Height: 2},
		"side -1: wants 1 to":                 CNN{Height: -1},
		"too small to reflect a pixel":        Residual{Height: 1},
		"65 repeats":                          CNN{Repeats: 65},
		"-1 blocks":                           ResNet{Blocks: -1},
		"width -1":                            MLP{Hidden: []int64{-1}},
	} {
		if _, err := n.Build(0); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: error %v, want %q", n, err, want)
		}
	}
}

func TestSet(t *testing.T) {
	n, err := Set(Hourglass{}.Defaults(), "channels", "8, 16")
	if err != nil {
		t.Fatal(err)
	}
	if got := n.(Hourglass).Channels; !slices.Equal(got, []int64{8, 16}) {
		t.Errorf("channels %v", got)
	}
	if got := (Hourglass{}).Defaults().Channels; len(got) != 6 {
		t.Errorf("the published network changed: %v", got)
	}
	if _, err := Set(n, "hieght", "3"); err == nil || !strings.Contains(err.Error(), "height=512") {
		t.Errorf("unknown setting: %v", err)
	}
}
