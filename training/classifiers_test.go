package training_test

import (
	"testing"

	"graft/graphs"
	"graft/onnx"
	"graft/onnx/noise"
	"graft/runtime/runtimetest"
	"graft/training"
	"graft/training/loss"
	"graft/training/optim"
)

// TestClassifiersLearn has each family learn eight samples by heart, with its norms, without them, and with dropout.
func TestClassifiersLearn(t *testing.T) {
	pictures := func(dims ...int64) map[string]*onnx.Tensor {
		x := onnx.NewTensor(onnx.Float, append([]int64{8}, dims...)...)
		noise.Normal(x.Float32s(), noise.NewKey(4, "x", 0))
		return map[string]*onnx.Tensor{"x": x}
	}
	grey := pictures(1, 12, 16)
	ids, mask := onnx.NewTensor(onnx.Int64, 8, 5), onnx.NewTensor(onnx.Int64, 8, 5)
	for i := range ids.Int64s() {
		ids.Int64s()[i], mask.Int64s()[i] = int64(i*7%19), 1
		if i%5 == 4 {
			mask.Int64s()[i] = int64(i / 5 % 2)
		}
	}
	tokens := map[string]*onnx.Tensor{"input_ids": ids, "attention_mask": mask}
	segments := map[string]*onnx.Tensor{"input_ids": ids, "attention_mask": mask, "token_type_ids": onnx.NewTensor(onnx.Int64, 8, 5)}
	small := graphs.BERT{Layers: 1, Width: 16, Heads: 2, Vocabulary: 20, Positions: 8, Classes: 3}
	pairs := small
	pairs.Pairs, pairs.Dropout = true, 0.1
	for name, c := range map[string]struct {
		network graphs.Network
		feeds   map[string]*onnx.Tensor
		dropout bool
	}{
		"lenet":                {graphs.LeNet{Classes: 3, Height: 12, Width: 16}, grey, false},
		"lenet, means":         {graphs.LeNet{Classes: 3, Height: 12, Width: 16, Average: true, Dropout: 0.2}, grey, true},
		"vgg":                  {graphs.VGG{Widths: []int64{4, 8}, Depths: []int64{1, 2}, In: 1, Classes: 3, Height: 12, Width: 16}, grey, false},
		"vgg without norms":    {graphs.VGG{Widths: []int64{8, 16}, Depths: []int64{1, 1}, NoNorm: true, In: 1, Classes: 3, Height: 12, Width: 16}, grey, false},
		"bottlenecks":          {graphs.ResNet{Widths: []int64{4, 8}, Depths: []int64{1, 2}, Bottleneck: true, In: 1, Classes: 3, Height: 12, Width: 16}, grey, false},
		"resnet without norms": {graphs.ResNet{Widths: []int64{8, 16}, Blocks: 1, NoNorm: true, In: 1, Classes: 3, Height: 12, Width: 16}, grey, false},
		"densenet":             {graphs.DenseNet{Depths: []int64{2, 1}, Growth: 4, In: 1, Classes: 3, Height: 12, Width: 16}, grey, false},
		"wideresnet":           {graphs.WideResNet{Depth: 10, Widen: 1, In: 1, Classes: 3, Height: 12, Width: 16, Dropout: 0.1}, grey, true},
		"bert":                 {small, tokens, false},
		"bert of pairs":        {pairs, segments, true},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := c.network.Build(1)
			if err != nil {
				t.Fatal(err)
			}
			objective, err := loss.Lookup("cross-entropy")
			if err != nil {
				t.Fatal(err)
			}
			a, err := training.NewArtifacts(m, training.ArtifactConfig{Loss: objective, Optimizer: optim.Adam(optim.AdamConfig{}), Dropout: c.dropout})
			if err != nil {
				t.Fatal(err)
			}
			feeds := map[string]*onnx.Tensor{training.InputLabels: onnx.FromSlice([]int64{0, 1, 2, 0, 1, 2, 0, 1})}
			for name, x := range c.feeds {
				feeds[name] = x
			}
			var first, last float64
			loop := training.Loop{Step: a.Fused, Session: runtimetest.OneThread(t), Rate: func(int64) float64 { return 0.01 },
				Feed: func(int64) map[string]*onnx.Tensor { return feeds },
				Each: func(p training.Progress) error {
					if last = p.Loss; p.Step == 1 {
						first = last
					}
					return nil
				}}
			if _, err := loop.Run(t.Context(), a.Start(), 25, 0, nil); err != nil {
				t.Fatal(err)
			}
			if !(last < first/2) {
				t.Errorf("the loss goes from %g to %g in 25 steps", first, last)
			}
		})
	}
}
