package cli

import (
	"encoding/json"
	"math"
	"os"
	"strings"
	"testing"

	"graft/onnx"
	"graft/onnx/noise"
)

// Artifacts that keep a moving average are evaluated by it: the loss that the run says, in its document and in its log, and by
// which it keeps the best checkpoint, is that of the model that export --ema writes, and not that of the last parameters.
func TestTrainEvaluatesAverage(t *testing.T) {
	f := newTrainee(t)
	m, err := onnx.Load(f.path("mlp.onnx"), onnx.LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	f.saveWithSoftmax(m, "net.onnx")
	const n = 60
	x, labels := onnx.NewTensor(onnx.Float, n, 4), onnx.NewTensor(onnx.Int64, n)
	noise.Uniform(x.Float32s(), noise.NewKey(3, "x", 0))
	for i := range n {
		labels.Int64s()[i] = int64(i % 3)
		x.Float32s()[4*i+i%3]++
	}
	x.Name, labels.Name = "x", "labels"
	f.npz("points.npz", x, labels)
	f.must("artifacts net.onnx --loss cross-entropy --optimizer adam --ema 0.9 --out a")
	doc := f.run("train a --data points.npz --val points.npz --epochs 6 --batch 16 --lr 3e-2 --best --log run.jsonl")
	if doc.EvalLoss == nil || !doc.EvalAverage || doc.BestEvalLoss == nil {
		t.Fatalf("document %+v", doc)
	}
	for line, loss := range map[string]float64{"export a --ema": *doc.EvalLoss, "export a --ema --from a/checkpoint.best": *doc.BestEvalLoss} {
		f.must(line + " --out averaged.onnx --force")
		f.must(strings.Replace(line, " --ema", "", 1) + " --out last.onnx --force")
		averaged, last := f.judged("averaged.onnx", x, labels), f.judged("last.onnx", x, labels)
		if math.Abs(averaged-loss) > 1e-5 || math.Abs(last-loss) < 1e-3 {
			t.Errorf("%s: the average has loss %g, the parameters %g, the evaluation said %g", line, averaged, last, loss)
		}
	}
	log, err := os.ReadFile(f.path("run.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for text := range strings.Lines(string(log)) {
		var line logLine
		if err := json.Unmarshal([]byte(text), &line); err != nil || line.Average != (line.Eval != nil) {
			t.Errorf("%v: %s", err, text)
		}
	}
	f.must("artifacts net.onnx --loss cross-entropy --optimizer adam --out b")
	if doc := f.run("train b --data points.npz --val points.npz --steps 2"); doc.EvalAverage {
		t.Errorf("without an average: %+v", doc)
	}
}

// judged is the loss of a model's file.
func (f *trainee) judged(name string, x, labels *onnx.Tensor) float64 {
	f.Helper()
	m, err := onnx.Load(f.path(name), onnx.LoadOptions{})
	if err != nil {
		f.Fatal(err)
	}
	loss, _ := judged(f.T, m, x, labels)
	return loss
}
