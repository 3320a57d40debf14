package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"graft/onnx/atomicfile"
	"graft/onnx/limits"
	"graft/training"
	"graft/training/dataset"
)

// vocabularyFile is where a run keeps the words behind the numbers of a text.
const vocabularyFile = "vocab.txt"

// choiceFlags say which samples are trained on, and what is done to them once and for all.
func choiceFlags() []cli.Flag {
	return []cli.Flag{
		integer("samples", "N", 1, 1<<31, 0, "train on N samples of --data, drawn from --seed").under("Data"),
		integer("per-class", "N", 1, 1<<31, 0, "train on N samples of each class, drawn from --seed").under("Data"),
		toggle("standardize", "take the mean of each channel off, and divide by its deviation: those of the samples trained on").under("Data"),
	}
}

// choose keeps the samples of a set that --samples or --per-class draws.
func (r *trainRun) choose(d *sampleSet) error {
	flag, k := "samples", int64(r.Int("samples"))
	if r.IsSet("per-class") {
		if r.IsSet("samples") {
			return misuse("--samples and --per-class exclude each other")
		}
		flag, k = "per-class", int64(r.Int("per-class"))
	}
	if k == 0 {
		return nil
	}
	n, err := d.count()
	if err != nil {
		return misuse("--%s: %v", flag, err)
	}
	var drawn []uint32
	if flag == "samples" {
		drawn, err = dataset.Draw(n, k, r.Common.Seed)
	} else {
		drawn, err = r.drawPerClass(d, k)
	}
	if err != nil {
		return misuse("--%s %d: %v", flag, k, err)
	}
	for name, rows := range d.rows {
		d.rows[name] = dataset.Part(rows, drawn)
	}
	return nil
}

func (r *trainRun) drawPerClass(d *sampleSet, k int64) ([]uint32, error) {
	rows := d.rows[training.InputLabels]
	if rows == nil {
		return nil, fmt.Errorf("the samples have no classes")
	}
	labels, err := dataset.Labels(rows)
	if err != nil {
		return nil, err
	}
	return dataset.DrawPerClass(labels, k, r.Common.Seed, d.classes)
}

// warnEmpty names the classes of the model that no sample of the training shows.
func (r *trainRun) warnEmpty(d *sampleSet) {
	rows := d.rows[training.InputLabels]
	classes := outputClasses(r.contract)
	if rows == nil || classes == 0 {
		return
	}
	labels, err := dataset.Labels(rows)
	if err != nil {
		return // labels of another form, one a pixel
	}
	var names []string
	for _, l := range dataset.EmptyClasses(labels, classes) {
		names = append(names, dataset.ClassName(l, d.classes))
	}
	if names != nil {
		const most = 10
		shown := strings.Join(names[:min(len(names), most)], ", ")
		if len(names) > most {
			shown += fmt.Sprintf(" and %d more", len(names)-most)
		}
		r.Say("no sample to train on shows class %s", shown)
	}
}

// standardize takes the statistics of the samples trained on, and applies them to all.
func (r *trainRun) standardize(train, val *sampleSet) error {
	if !r.Bool("standardize") {
		return nil
	}
	if r.IsSet("mean") || r.IsSet("std") {
		return misuse("--standardize excludes --mean and --std: it takes its own from the data")
	}
	if len(r.contract.Inputs) != 1 {
		return misuse("--standardize is for models with one input, this one has %d", len(r.contract.Inputs))
	}
	name := r.contract.Inputs[0].Name
	if train.rows[name] == nil {
		return misuse("--standardize: every step gets the data whole")
	}
	n, err := dataset.Statistics(train.rows[name])
	if err != nil {
		return refused(train.file, limits.InFile(train.file, err))
	}
	for _, d := range []*sampleSet{train, val} {
		if d == nil || d.rows[name] == nil {
			continue
		}
		if d.rows[name], err = dataset.Normalized(d.rows[name], n); err != nil {
			return refused(d.file, limits.InFile(d.file, err))
		}
	}
	r.normalized = n
	r.Say("standardized: --mean %s --std %s", numberList(n.Mean), numberList(n.Std))
	return nil
}

func numberList(list []float64) string {
	var parts []string
	for _, v := range list {
		parts = append(parts, strconv.FormatFloat(v, 'g', 6, 64))
	}
	return strings.Join(parts, ",")
}

// readVocabulary reads the words of a text from --vocab, or on going on from those that the run began with.
func (r *trainRun) readVocabulary(config *dataset.ReadConfig) (err error) {
	kept := filepath.Join(r.dir, vocabularyFile)
	if config.Vocabulary != nil || !r.Bool("resume") {
		return nil
	}
	if _, missing := os.Stat(kept); missing == nil {
		config.Vocabulary, err = dataset.ReadVocabulary(kept)
	}
	return err
}

// keepVocabulary writes the words that the numbers of the training's text stand for: who runs the model needs them.
func (r *trainRun) keepVocabulary() error {
	if r.vocabulary == nil {
		return nil
	}
	path := filepath.Join(r.dir, vocabularyFile)
	text := strings.Join(r.vocabulary, "\n") + "\n"
	if old, err := os.ReadFile(path); err == nil && string(old) == text {
		return nil
	}
	return atomicfile.WriteFile(path, []byte(text), 0o666)
}

// count is the number of samples, where all arrays have as many.
func (d *sampleSet) count() (int64, error) {
	n := int64(-1)
	for _, rows := range d.rows {
		if n >= 0 && rows.Len() != n {
			return 0, fmt.Errorf("the arrays have different numbers of samples")
		}
		n = rows.Len()
	}
	if n < 0 {
		return 0, fmt.Errorf("the data have no samples to draw from, every step gets them whole")
	}
	return n, nil
}

// outputClasses is how many classes the output that the loss reads has; 0: not known.
func outputClasses(contract *training.Contract) int64 {
	i := slices.IndexFunc(contract.Outputs, func(p training.ContractPort) bool { return p.Name == contract.Output })
	if i < 0 || len(contract.Outputs[i].Shape) < 2 {
		return 0
	}
	return sizes(contract.Outputs[i].Shape)[1]
}
