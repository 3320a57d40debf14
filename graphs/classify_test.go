package graphs

import (
	"strings"
	"testing"

	"graft/onnx"
	"graft/onnx/op"
)

// blank is a network that builds itself into a graph whose weights stay zero.
type blank interface {
	Network
	build(n *net) (*onnx.Model, error)
}

// learned counts the parameters of a network; running statistics are none.
func learned(t *testing.T, b blank) (n int64) {
	t.Helper()
	net := newNet("test", 0)
	net.blank = true
	m, err := b.build(net)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range m.Graph.Initializers() {
		if op.IsParameter(v) {
			n += v.Const.Len()
		}
	}
	return n
}

// TestUsualParameterCounts holds networks to the numbers that are quoted for their usual implementations in PyTorch, which
// testdata/peers/networks.py counts again.
func TestUsualParameterCounts(t *testing.T) {
	for _, c := range []struct {
		n    blank
		want int64
	}{
		{LeNet{}, 61_706}, {LeNet{Height: 32, Width: 32}, 61_706}, {LeNet32, 62_006}, {LeNet{Height: 8, Width: 8}, 15_626},
		{VGG13, 9_416_010}, {VGG{}, 14_728_266}, {VGG19, 20_040_522},
		{VGG{NoNorm: true}, 14_728_266 - 2*(2*64+2*128+3*256+6*512)},
		{ResNet18, 11_173_962}, {ResNet34, 21_282_122}, {ResNet50, 23_520_842},
		{ResNet{Widths: wideStages, Blocks: 2, Classes: 100}, 11_173_962 + 90*513},
		{ResNet{Widths: wideStages, Blocks: 2, NoNorm: true}, 11_173_962 - (5*64 + 5*128 + 5*256 + 5*512)},
		{BERT{}, 109_483_778}, {TinyBERT, 4_386_178},
		{GCN{}, 23_063}, {GAT{}, 92_373}, {SAGE{}, 46_103}, {APPNP{}, 92_231}, {GAT{Sparse: true}, 92_373},
		{DenseNet{}, 6_956_298}, {WideResNet{}, 10_961_370}, {WideResNet{Depth: 28, Widen: 10}, 36_479_194},
	} {
		if got := learned(t, c.n); got != c.want {
			t.Errorf("%+v: %d parameters, want %d", c.n, got, c.want)
		}
	}
}

// TestSmallResNet holds the preset to what a study on two cores can bear.
func TestSmallResNet(t *testing.T) {
	m, err := SmallResNet.Build(0)
	if err != nil {
		t.Fatal(err)
	}
	var sum int64
	for _, n := range m.Graph.Nodes() {
		if macs, _, ok := op.MACs(n); ok {
			sum += macs
		}
	}
	if sum > 5e6 || sum < 4e6 {
		t.Errorf("%d multiplications a picture, want 4 to 5 million", sum)
	}
}

// TestDropoutIsThere builds each network that knows dropout with it and without.
func TestDropoutIsThere(t *testing.T) {
	for _, n := range []Network{MLP{In: 4, Hidden: []int64{3}}, LeNet{}, QuickResNet, QuickVGG, QuickDenseNet, QuickWideResNet} {
		for value, want := range map[string]bool{"0": false, "0.25": true} {
			n, err := Set(n, "dropout", value)
			if err != nil {
				t.Fatal(err)
			}
			m, err := n.Build(0)
			if err != nil {
				t.Fatal(err)
			}
			found := false
			for _, node := range m.Graph.Nodes() {
				found = found || node.Is("Dropout")
			}
			if found != want {
				t.Errorf("%T with dropout %s: %v", n, value, found)
			}
		}
		n, err := Set(n, "dropout", "1")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := n.Build(0); err == nil || !strings.Contains(err.Error(), "dropout 1: wants 0 to 1") {
			t.Errorf("%T with dropout 1: %v", n, err)
		}
	}
}

func TestClassifierRefusals(t *testing.T) {
	for want, n := range map[string]Network{
		"side 16: wants 32 to 4096":     VGG{Height: 16},
		"2 depths for 5 widths":         VGG{Depths: []int64{1, 1}},
		"0 layers of a stage":           VGG{Depths: []int64{0, 1, 1, 1, 1}},
		"side 7: wants 8 to 1024":       LeNet{Width: 7},
		"width 70000":                   LeNet{Classes: 70000},
		"depth 17: wants 10, 16":        WideResNet{Depth: 17},
		"widen 65":                      WideResNet{Widen: 65},
		"growth -1":                     DenseNet{Growth: -1},
		"side 4: wants 8 to 4096":       DenseNet{Height: 4},
		"3 depths for 4 widths":         ResNet{Widths: wideStages, Depths: []int64{1, 1, 1}},
		"0 blocks: wants 1 to 256":      ResNet{Widths: wideStages, Depths: []int64{1, 1, 0, 1}},
		"dropout -1: wants 0 to 1":      LeNet{Dropout: -1},
		"side 1: wants 4 to 4096":       WideResNet{Width: 1},
		"build mlp: dropout 2: wants 0": MLP{Dropout: 2},
	} {
		if _, err := n.Build(0); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: error %v, want %q", n, err, want)
		}
	}
	for value, want := range map[string]string{"nonorm=maybe": "neither true nor false", "dropout=x": "not a number", "depths=1,x": "not a list"} {
		key, v, _ := strings.Cut(value, "=")
		if _, err := Set(VGG{}.Defaults(), key, v); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", value, err)
		}
	}
}
