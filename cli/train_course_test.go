package cli

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"strings"
	"testing"

	"graft/masking"
	"graft/onnx"
	"graft/onnx/safetensors"
	"graft/training"
)

// run trains with --json and gives the document.
func (f *trainee) run(line string) trained {
	f.Helper()
	var doc trained
	if err := json.Unmarshal([]byte(f.must(line+" --json")), &doc); err != nil {
		f.Fatal(err)
	}
	return doc
}

func (f *trainee) artifacts(dir, optimizer string) {
	f.Helper()
	f.must("artifacts mlp.onnx --loss cross-entropy --optimizer " + optimizer + " --out " + dir)
}

func TestTrainEvaluates(t *testing.T) {
	f := newTrainee(t)
	f.artifacts("a", "adam")
	doc := f.run("train a --data data.npz --val 0.2 --epochs 30 --batch 24 --lr 3e-2 --schedule cosine --warmup 0.1 --min-lr 1e-4 --best --log run.jsonl --seed 2")
	if doc.Steps != 90 || doc.EvalLoss == nil || doc.Accuracy == nil || *doc.Accuracy < 0.7 || doc.BestStep == nil || *doc.BestEvalLoss > *doc.EvalLoss || doc.LearningRate > 2e-4 {
		t.Errorf("document %+v", doc)
	}
	for _, name := range []string{"a/loss.png", "a/curves.svg", "a/checkpoint.best/state.json"} {
		if _, err := os.Stat(f.path(name)); err != nil {
			t.Error(err)
		}
	}
	history, err := os.ReadFile(f.path("a/history.csv"))
	if err != nil || !bytes.HasPrefix(history, []byte("step,epoch,loss,seconds,lr,eval_loss,accuracy,sparsity\n")) {
		t.Errorf("history %v\n%s", err, history)
	}
	log, err := os.ReadFile(f.path("run.jsonl"))
	if err != nil || bytes.Count(log, []byte("\n")) != 90 || bytes.Count(log, []byte(`"eval_loss"`)) != 30 {
		t.Errorf("log %v: %d lines", err, bytes.Count(log, []byte("\n")))
	}
	var rates []float64
	for line := range strings.Lines(string(log)) {
		var l logLine
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatal(err)
		}
		rates = append(rates, l.Rate)
	}
	if math.Abs(rates[8]-3e-2) > 1e-12 || math.Abs(rates[0]-3e-2/9) > 1e-12 || rates[89] != doc.LearningRate {
		t.Errorf("rates %v", rates)
	}
	// What export writes has the loss that the evaluation said.
	f.must("export a --from a/checkpoint.best --out best.onnx")
	if _, steps, err := training.ReadCheckpoint(f.path("a/checkpoint.best")); err != nil || steps != *doc.BestStep {
		t.Errorf("the best checkpoint is of step %d: %v", steps, err)
	}
	f.refuses("train a --data data.npz --val 0.2 --steps 90 --log run.jsonl", exitUsage, "trained for 90 steps")
	f.artifacts("b", "adam")
	f.refuses("train b --data data.npz --log run.jsonl", exitEnvironment, "exists", "--force")
}

func TestTrainStopsEarly(t *testing.T) {
	f := newTrainee(t)
	f.artifacts("a", "sgd")
	// A rate so large that the loss goes up and down.
	doc := f.run("train a --data data.npz --val 0.3 --steps 300 --lr 30 --early-stop 2 --eval-every 5 --schedule plateau --patience 0 --gamma 0.1")
	if !doc.StoppedEarly || doc.Steps >= 300 || doc.Steps%5 != 0 || *doc.BestStep > doc.Steps-10 || doc.LearningRate >= 30 {
		t.Errorf("document %+v", doc)
	}
}

func TestTrainPrunes(t *testing.T) {
	f := newTrainee(t)
	f.artifacts("a", "adamw")
	doc := f.run("train a --data data.npz --val 0.2 --epochs 30 --batch 24 --lr 1e-2 --prune-to 0.8 --prune-start 10 --prune-every 7 --save-mask mask.safetensors")
	if doc.Sparsity == nil || math.Abs(*doc.Sparsity-0.8) > 0.01 || doc.Mask != "mask.safetensors" || doc.BestStep == nil || *doc.BestStep < 54 {
		t.Errorf("document %+v", doc)
	}
	set, err := masking.ReadFile(f.path("mask.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	if set.Get("b1").Kept() != 16 || set.Get("b2").Kept() != 3 || set.Total() != 64+48+19 || set.Kept() != 22+19 { // floor(0.2 * 112)
		t.Errorf("%d of %d kept, masks %v", set.Kept(), set.Total(), set.Names())
	}
	weights := f.parameters("a")
	for _, m := range set.Masks() {
		w := weights[m.Name]
		for i, keep := range m.Keep {
			if zero := bytes.Equal(w.Data[4*i:4*i+4], []byte{0, 0, 0, 0}); zero == keep {
				t.Fatalf("%s[%d] is %g", m.Name, i, w.Float32s()[i])
			}
		}
	}
	f.must("export a --out pruned.onnx")
	m, err := onnx.Load(f.path("pruned.onnx"), onnx.LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, mask := range set.Masks() {
		if v := m.Graph.Lookup(mask.Name); v == nil || !bytes.Equal(v.Const.Data, weights[mask.Name].Data) {
			t.Errorf("%s is another in the export", mask.Name)
		}
	}
	// Trained on, the mask stays.
	f.must("train a --data data.npz --val 0.2 --epochs 31 --batch 24 --lr 1e-2 --resume --save-mask again.safetensors")
	again, err := masking.ReadFile(f.path("again.safetensors"))
	if err != nil || again.Kept() != set.Kept() {
		t.Errorf("mask after more training: %v", err)
	}
	for _, c := range []struct{ line, word string }{
		{"--prune-to 0.5 --mask mask.safetensors", "exclude each other"}, {"--prune-start 4", "goes with --prune-to"},
		{"--prune-to 0.5 --prune-end 99 --steps 10", "the run has 10 steps"}, {"--prune-to 0.5 --prune-end 3 --prune-start 4 --steps 10", "want begin before end"},
		{"--best", "--val"}, {"--early-stop 3", "--val"}, {"--schedule plateau", "--val"}, {"--schedule cosin", "cosine"}, {"--warmup 1.5", "--warmup"},
		{"--warmup 99 --steps 9", "the run has 9 steps"}, {"--min-lr 5", "above the learning rate"}, {"--from-previous", "--resume"}, {"--val 1.5", "fraction in (0, 1)"},
		{"--std 0", "above 0"}, {"--save-mask again.safetensors", "--prune-to"}, {"--val 0.001", "none on one side"},
	} {
		f.refuses("train a --data data.npz "+c.line, exitUsage, c.word)
	}
}

// A damaged checkpoint is refused, and the one before it goes on to the same end.
func TestTrainFromPrevious(t *testing.T) {
	f := newTrainee(t)
	for _, dir := range []string{"whole", "damaged"} {
		f.artifacts(dir, "adam")
		f.must("train " + dir + " --data data.npz --steps 20 --save-every 8 --batch 16")
	}
	path := f.path("damaged/checkpoint/slots.safetensors")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)-3] ^= 4
	if err := os.WriteFile(path, data, 0o666); err != nil {
		t.Fatal(err)
	}
	f.refuses("train damaged --data data.npz --steps 30 --batch 16 --resume", exitInput, "slots.safetensors", "its hash is not", "checkpoint.previous", "--resume --from-previous")
	f.must("train damaged --data data.npz --steps 30 --batch 16 --resume --from-previous")
	f.must("train whole --data data.npz --steps 30 --batch 16 --resume")
	f.sameParameters("whole", "damaged")
	for _, name := range []string{"damaged/checkpoint.previous/state.json", "damaged/checkpoint.damaged/state.json"} {
		if _, err := os.Stat(f.path(name)); err != nil {
			t.Error(err)
		}
	}
	if err := os.RemoveAll(f.path("damaged/checkpoint")); err != nil {
		t.Fatal(err)
	}
	f.must("export damaged --out a.onnx") // the previous one is there
	f.refuses("train damaged --data data.npz --resume --from-previous --mask data.npz", exitInput, "data.npz")
}

// state is what a checkpoint holds, without the times.
func (f *trainee) state(dir string) map[string]any {
	f.Helper()
	out := map[string]any{}
	for _, name := range []string{"parameters", "slots", "buffers", "mask"} {
		list, _, err := safetensors.ReadFile(f.path(dir + "/" + name + ".safetensors"))
		if err != nil {
			f.Fatal(err)
		}
		for _, t := range list {
			out[name+"/"+t.Name] = string(t.Data)
		}
	}
	data, err := os.ReadFile(f.path(dir + "/state.json"))
	if err != nil {
		f.Fatal(err)
	}
	var state struct {
		Steps int64
		Extra trainRecord
	}
	if err := json.Unmarshal(data, &state); err != nil {
		f.Fatal(err)
	}
	state.Extra.Seconds = 0
	for i := range state.Extra.History {
		state.Extra.History[i].Seconds = 0
	}
	record, err := json.Marshal(state)
	if err != nil {
		f.Fatal(err)
	}
	out["record"] = string(record)
	return out
}
