package cli

import (
	"bytes"
	"errors"
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

// sampleChoice says which samples of what is read are trained on, and whether they are standardized.
type sampleChoice struct {
	samples, perClass int64 // 0: all
	seed              uint64
	standardize       bool
}

// sampleChoice reads --samples, --per-class and --standardize.
func (c *call) sampleChoice() (sampleChoice, error) {
	k := sampleChoice{samples: int64(c.Int("samples")), perClass: int64(c.Int("per-class")), seed: c.Common.Seed, standardize: c.Bool("standardize")}
	switch {
	case k.samples > 0 && k.perClass > 0:
		return k, misuse("--samples and --per-class exclude each other")
	case k.standardize && (c.IsSet("mean") || c.IsSet("std")):
		return k, misuse("--standardize excludes --mean and --std: it takes its own from the data")
	}
	return k, nil
}

// choose keeps the samples of a set that are drawn.
func (k sampleChoice) choose(d *sampleSet) error {
	if k.samples == 0 && k.perClass == 0 {
		return nil
	}
	flag, wanted := "samples", k.samples
	if k.perClass > 0 {
		flag, wanted = "per-class", k.perClass
	}
	n, err := d.count()
	var drawn []uint32
	switch {
	case err != nil:
	case k.perClass == 0:
		drawn, err = dataset.Draw(n, k.samples, k.seed)
	case d.rows[training.InputLabels] == nil:
		err = errors.New("the samples have no classes")
	default:
		var labels []int64
		if labels, err = dataset.Labels(d.rows[training.InputLabels]); err == nil {
			drawn, err = dataset.DrawPerClass(labels, k.perClass, k.seed, d.classes)
		}
	}
	if err != nil {
		return misuse("--%s %d: %v", flag, wanted, err)
	}
	for name, rows := range d.rows {
		d.rows[name] = dataset.Part(rows, drawn)
	}
	return nil
}

// warnEmpty names the classes of the model that no sample of the training shows.
func (r *dataReader) warnEmpty(d *sampleSet) {
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
		r.Say("%s: no sample is of class %s", d.file, shown)
	}
}

// standardized takes the statistics of the samples trained on, where that is chosen, and applies them to these and to the others,
// of which some may be nil.
func (r *dataReader) standardized(k sampleChoice, train *sampleSet, others ...*sampleSet) (n dataset.Normalization, err error) {
	if !k.standardize {
		return n, nil
	}
	if len(r.contract.Inputs) != 1 {
		return n, misuse("--standardize is for models with one input, this one has %d", len(r.contract.Inputs))
	}
	name := r.contract.Inputs[0].Name
	if train.rows[name] == nil {
		return n, misuse("--standardize: every step gets the data whole")
	}
	if n, err = dataset.Statistics(train.rows[name]); err != nil {
		return n, refused(train.file, limits.InFile(train.file, err))
	}
	for _, d := range append([]*sampleSet{train}, others...) {
		if d == nil || d.rows[name] == nil {
			continue
		}
		if d.rows[name], err = dataset.Normalized(d.rows[name], n); err != nil {
			return n, refused(d.file, limits.InFile(d.file, err))
		}
	}
	r.Say("standardized: --mean %s --std %s", numberList(n.Mean), numberList(n.Std))
	return n, nil
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
	text := vocabularyText(r.vocabulary)
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, text) {
		return nil
	}
	return atomicfile.WriteFile(path, text, 0o666)
}

// vocabularyText is a word a line.
func vocabularyText(words []string) []byte { return []byte(strings.Join(words, "\n") + "\n") }

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
