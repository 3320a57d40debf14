package cli

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A dry run reads all that the run reads, refuses what that refuses, says what it would do, and leaves the folder as it is.
func TestTrainDryRun(t *testing.T) {
	f := newTrainee(t)
	f.must("artifacts mlp.onnx --loss cross-entropy --optimizer adam --ema 0.9 --out a")
	before := f.files()
	const line = "train a --data data.npz --val 0.2 --epochs 5 --batch 16 --schedule linear --lr 1e-2 --min-lr 1e-3 --warmup 2 --eval-every 7 --best --log run.jsonl --prune-to 0.5 --save-mask mask.safetensors"
	plan := f.planned(line)
	if plan.From != 0 || plan.Steps != 25 || plan.Epochs != 5 || plan.Samples != 72 || plan.Batch != 16 || plan.PerEpoch != 5 || plan.Parameters != 131 {
		t.Errorf("plan %+v", plan)
	}
	if plan.Evaluations != 4 || plan.EvalSamples != 18 || !plan.EvalAverage || plan.RateFirst != 5e-3 || plan.SparsityLast == nil || *plan.SparsityLast != 0.5 {
		t.Errorf("plan %+v", plan)
	}
	if got := strings.Join(plan.Writes, " "); got != "a/checkpoint a/history.csv a/loss.png a/curves.svg a/checkpoint.best run.jsonl mask.safetensors" {
		t.Errorf("writes %s", got)
	}
	for line, words := range map[string][]string{
		"train a --dry-run --data mlp.onnx":                                   {"no .npy, .npz or safetensors"},
		"train a --data data.npz --dry-run --schedule linear --min-lr 5":      {"--min-lr 5 is above the learning rate"},
		"train a --data data.npz -n --prune-to 0.5 --prune-end 999 --steps 9": {"--prune-end 999: the run has 9 steps"},
		"train a --data data.npz -n --log no/run.jsonl":                       {"run.jsonl"},
		"train a --data data.npz -n --resume --save-mask mask.safetensors":    {"the run has no mask"},
	} {
		if code, _, err := f.graft(t.Context(), line); code == 0 || !strings.Contains(err, words[0]) {
			t.Errorf("graft %s: exit %d, %s", line, code, err)
		}
	}
	f.same(before)

	// What it says is what the run does.
	doc := f.run(line)
	if doc.Steps != plan.Steps || doc.LearningRate != plan.RateLast || !doc.EvalAverage {
		t.Errorf("run %+v, plan %+v", doc, plan)
	}
	for _, name := range plan.Writes {
		if _, err := os.Stat(f.path(name)); err != nil {
			t.Error(err)
		}
	}
	log, err := os.ReadFile(f.path("run.jsonl"))
	if err != nil || int64(strings.Count(string(log), `"eval_loss"`)) != plan.Evaluations {
		t.Errorf("evaluations: %v\n%s", err, log)
	}
	before = f.files()
	f.refuses("train a --data data.npz -n --steps 40", exitUsage, "trained for 25 steps already")
	if plan := f.planned("train a --data data.npz --val 0.2 --steps 40 --eval-every 7 --resume"); plan.From != 25 || plan.Steps != 40 || plan.Evaluations != 3 {
		t.Errorf("going on: %+v", plan)
	}
	f.planned("train a --data data.npz --steps 40 --resume --from-previous")
	if out := f.must("train a --data data.npz --steps 25 --resume --dry-run"); !strings.Contains(out, "nothing to train") {
		t.Error(out)
	}
	f.same(before)
	// A damaged checkpoint is seen.
	if err := os.WriteFile(f.path("a/checkpoint/parameters.safetensors"), []byte("x"), 0o666); err != nil {
		t.Fatal(err)
	}
	f.refuses("train a --data data.npz --steps 40 --resume --dry-run", exitInput, "damaged")
}

func (f *trainee) planned(line string) plannedTraining {
	f.Helper()
	var plan plannedTraining
	if err := json.Unmarshal([]byte(f.must(line+" --dry-run --json")), &plan); err != nil || !plan.DryRun {
		f.Fatalf("%v: %+v", err, plan)
	}
	return plan
}

// files lists what lies in the folder, with what it says.
func (f *trainee) files() string {
	f.Helper()
	var list strings.Builder
	err := filepath.WalkDir(f.dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			fmt.Fprintln(&list, path)
			return err
		}
		data, err := os.ReadFile(path)
		fmt.Fprintf(&list, "%s %x\n", path, sha256.Sum256(data))
		return err
	})
	if err != nil {
		f.Fatal(err)
	}
	return list.String()
}

func (f *trainee) same(before string) {
	f.Helper()
	if now := f.files(); now != before {
		f.Errorf("the folder was\n%s\nand is\n%s", before, now)
	}
}
