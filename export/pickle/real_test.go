package pickle

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/nlpodyssey/gopickle/pytorch"
	"github.com/nlpodyssey/gopickle/types"

	"graft/onnx"
)

// sharedData is the path of a file among the data that stand beside the module's folder, or beside one above it; the test
// skips where they are absent.
func sharedData(t *testing.T, name string) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for dir != filepath.Dir(dir) {
		path := filepath.Join(dir, "shared", "data", filepath.FromSlash(name))
		if _, err := os.Stat(path); err == nil {
			return path
		}
		dir = filepath.Dir(dir)
	}
	t.Skipf("needs ../shared/data/%s", name)
	return ""
}

// ones counts the true elements of a bool tensor in [begin, begin+n).
func ones(t *onnx.Tensor, begin, n int) int {
	count := 0
	for _, v := range t.Data[begin : begin+n] {
		count += int(v)
	}
	return count
}

func TestMaskOfPepper(t *testing.T) {
	f, err := ReadFile(sharedData(t, "denoiser/oes_mask_pepper.pkl"))
	if err != nil {
		t.Fatal(err)
	}
	mask, ok := f.Root.(*onnx.Tensor)
	if !ok || f.Format != "pickle" || mask.DType != onnx.Bool || len(mask.Dims) != 1 || mask.Dims[0] != 3_008_867 {
		t.Fatalf("%s: %T", f.Format, f.Root)
	}
	if n := ones(mask, 0, len(mask.Data)); n != 150_443 {
		t.Fatalf("%d ones", n)
	}
	// Survivors are channels whose scale or shift is kept. The parameters come in module order, depth first.
	channels := []int{16, 32, 64, 128, 128, 128}
	at := 0
	survivors := make(map[string][2]int)
	norm := func(name string, c int) {
		kept := 0
		for i := range c {
			if mask.Data[at+i] != 0 || mask.Data[at+c+i] != 0 {
				kept++
			}
		}
		survivors[name] = [2]int{kept, c}
		at += 2 * c
	}
	conv := func(in, out, kernel int) { at += in*out*kernel*kernel + out }
	var block func(i, in int)
	block = func(i, in int) {
		c, name := channels[i], "s"+string(rune('0'+i))
		conv(in, c, 5)
		norm(name+".down1", c)
		conv(c, c, 5)
		norm(name+".down2", c)
		inner := channels[min(i+1, len(channels)-1)]
		if i+1 < len(channels) {
			block(i+1, c)
		}
		norm(name+".merge", inner)
		conv(inner, c, 3)
		norm(name+".up", c)
	}
	block(0, 32)
	conv(16, 3, 1)
	if at != len(mask.Data) {
		t.Fatalf("the layers have %d parameters", at)
	}
	for name, want := range map[string][2]int{"s0.down1": {6, 16}, "s1.down1": {13, 32}, "s5.down1": {100, 128}, "s0.up": {16, 16}} {
		if survivors[name] != want {
			t.Errorf("%s: %v channels survive, want %v", name, survivors[name], want)
		}
	}
}

func TestDnCNN(t *testing.T) {
	path := sharedData(t, "denoiser/kair_dncnn_25.pth")
	f, err := ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	list, err := f.Tensors()
	if err != nil || f.Format != "torch legacy" || len(list) != 34 {
		t.Fatalf("%s: %d tensors, %v", f.Format, len(list), err)
	}
	// The independent reader sees the same names, shapes and numbers.
	theirs, err := pytorch.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	dict := theirs.(*types.OrderedDict)
	if dict.Len() != len(list) {
		t.Fatalf("%d tensors, the other reader finds %d", len(list), dict.Len())
	}
	for _, x := range list {
		v, ok := dict.Get(x.Name)
		if !ok {
			t.Fatalf("%q is unknown to the other reader", x.Name)
		}
		want := v.(*pytorch.Tensor)
		source := want.Source.(*pytorch.FloatStorage).Data
		at, got := 0, x.Float32s()
		if len(want.Size) == 4 { // the one layout of this file that is not dense is walked by hand
			for a := range want.Size[0] {
				for b := range want.Size[1] {
					for c := range want.Size[2] {
						for d := range want.Size[3] {
							i := want.StorageOffset + a*want.Stride[0] + b*want.Stride[1] + c*want.Stride[2] + d*want.Stride[3]
							if got[at] != source[i] {
								t.Fatalf("%s[%d]: %v, want %v", x.Name, at, got[at], source[i])
							}
							at++
						}
					}
				}
			}
		} else if !slices.Equal(got, source[want.StorageOffset:][:len(got)]) {
			t.Fatalf("%s differs", x.Name)
		}
	}
}
