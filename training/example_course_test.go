package training_test

import (
	"context"
	"fmt"
	"testing"

	"graft/graphs"
	"graft/masking"
	"graft/onnx"
	"graft/onnx/noise"
	"graft/runtime"
	"graft/runtime/runtimetest"
	"graft/training"
	"graft/training/dataset"
	"graft/training/loss"
	"graft/training/optim"
)

// course trains a classifier on points, three quarters of its weights pruned on the way, and gives the accuracy.
func course(ctx context.Context, x, labels *onnx.Tensor, options runtime.Options) (accuracy float64, err error) {
	model, err := graphs.MLP{In: 2, Hidden: []int64{16}, Classes: 2}.Build(0)
	if err != nil {
		return 0, err
	}
	crossEntropy, err := loss.Lookup("cross-entropy")
	if err != nil {
		return 0, err
	}
	artifacts, err := training.NewArtifacts(model, training.ArtifactConfig{Loss: crossEntropy, Optimizer: optim.Adam(optim.AdamConfig{})})
	if err != nil {
		return 0, err
	}
	step := artifacts.Fused
	if err := step.MaskGradient(); err != nil {
		return 0, err
	}

	rows := map[string]dataset.Rows{}
	for _, t := range []*onnx.Tensor{x, labels} {
		if rows[t.Name], err = dataset.TensorRows(t); err != nil {
			return 0, err
		}
	}
	batches, err := dataset.NewBatches(rows, nil, dataset.BatchConfig{Size: 8, Partial: true})
	if err != nil {
		return 0, err
	}
	data := dataset.NewPrefetcher(batches)
	defer data.Close()

	cosine, err := training.FindSchedule("cosine")
	if err != nil {
		return 0, err
	}
	rate, err := cosine.Rates(training.ScheduleConfig{Rate: 0.03, Steps: 120, Warmup: 10})
	if err != nil {
		return 0, err
	}
	pruning := training.Gradual{Final: 0.75, Begin: 20, End: 80, Every: 10}
	weights := training.Prunable(artifacts.Eval, step.Packing)
	loop := training.Loop{Step: step, Session: options, Rate: rate, Data: data, Pause: pruning.Due,
		Visit: func(s *training.Snapshot) (*training.Snapshot, error) {
			return step.Prune(s, weights, pruning.Sparsity(s.Steps), masking.Global, 0)
		}}
	start, err := step.Prune(artifacts.Start(), weights, 0, masking.Global, 0) // a mask that takes nothing away yet
	if err != nil {
		return 0, err
	}
	end, err := loop.Run(ctx, start, 120, 0, nil)
	if err != nil {
		return 0, err
	}

	evaluator, err := training.NewEvaluator(artifacts.Eval, &artifacts.Contract, step, options)
	if err != nil {
		return 0, err
	}
	defer evaluator.Close()
	all, err := dataset.NewBatches(rows, nil, dataset.BatchConfig{Size: 8, Partial: true, Ordered: true})
	if err != nil {
		return 0, err
	}
	e, err := evaluator.Evaluate(ctx, end, all)
	if err != nil {
		return 0, err
	}
	return *e.Accuracy, nil
}

func Example_course() {
	x := onnx.FromSlice([]float32{0, 1, 0.1, 0.9, 1, 0, 0.8, 0.1}, 4, 2)
	labels := onnx.FromSlice([]int64{0, 0, 1, 1})
	x.Name, labels.Name = "x", training.InputLabels
	accuracy, err := course(context.Background(), x, labels, runtime.Options{})
	fmt.Println(accuracy, err) // 1 <nil>
}

// TestCourse runs what the example shows.
func TestCourse(t *testing.T) {
	const n = 45
	x, labels := onnx.NewTensor(onnx.Float, n, 2), onnx.NewTensor(onnx.Int64, n)
	noise.Uniform(x.Float32s(), noise.NewKey(1, "x", 0))
	for i := range n {
		if p := x.Float32s()[2*i : 2*i+2]; p[0] > p[1] {
			labels.Int64s()[i] = 1
		}
	}
	x.Name, labels.Name = "x", training.InputLabels
	if accuracy, err := course(t.Context(), x, labels, runtimetest.Options(t)); err != nil || accuracy < 0.9 {
		t.Errorf("accuracy %g: %v", accuracy, err)
	}
}
