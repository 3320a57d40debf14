package cli

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"graft/cli/outdir"
	"graft/export"
	"graft/masking"
	"graft/onnx"
	"graft/onnx/limits"
	"graft/training"
	"graft/training/dataset"
	"graft/training/loss"
)

// trainMethod is a way of training a classifier's model file that is more than an optimizer: a row of trainMethods. The frame
// reads model and data and writes the folder.
type trainMethod struct {
	name, doc string
	flags     []cli.Flag // its own
	takes     []string   // flags of train that it takes beside those that every method does
	late      []string   // its own flags that count behind the training: a resumed run may have others
	batch     int64      // samples of a batch without --batch; 0: as train has it
	check     func(*call) error
	run       func(*methodRun) (*methodResult, error)
}

// trainMethods lists the methods of --method.
var trainMethods = append([]trainMethod{pacBayesMethod}, momentumMethods()...)

// everyMethodTakes are flags of train that every method takes, beside those that steer the readers.
var everyMethodTakes = []string{"method", "data", "test", "batch", "epochs", "steps", "lr", "samples", "per-class", "standardize", "dry-run"}

// methodRun is a run of a method.
type methodRun struct {
	*call
	path     string
	model    *onnx.Model
	contract *training.Contract
	data     *sampleSet
	test     *sampleSet // nil without --test
	size     int64      // samples of a batch
	dir      *outdir.Dir
	begun    time.Time
}

// methodResult is what a method has come to. Files are beside model.onnx, summary.json and history.csv.
type methodResult struct {
	Model    *onnx.Model
	Summary  any
	History  [][]string // the first row is the head
	Files    map[string][]byte
	Lines    []string // that are printed
	Settings map[string]any
	Work     []string // files that a resumed run would have needed, beside checkpoint-*
}

func trainMethodNames() []string {
	names := make([]string, len(trainMethods))
	for i, m := range trainMethods {
		names[i] = m.name
	}
	return names
}

func trainMethodLines() string {
	var lines []string
	for _, m := range trainMethods {
		lines = append(lines, fmt.Sprintf("  %-13s %s", m.name, m.doc))
	}
	return strings.Join(lines, "\n")
}

// trainMethodFlags are those of the frame, then those of the methods. What several methods have is there once.
func trainMethodFlags() []cli.Flag {
	flags := []cli.Flag{
		choice("method", "", "train a model file by a method, into the folder --out", trainMethodNames()...).under("Methods"),
		text("test", "PATH", "what the trained model is judged by; nothing is chosen by it").under("Methods"),
	}
	for _, m := range trainMethods {
		for _, f := range m.flags {
			if !slices.ContainsFunc(flags, func(g cli.Flag) bool { return g.Names()[0] == f.Names()[0] }) {
				flags = append(flags, f)
			}
		}
	}
	return flags
}

// checkMethodFlags refuses flags that the method has no use for, and those of methods without one.
func (c *call) checkMethodFlags() (*trainMethod, error) {
	name := c.Text("method")
	i := slices.IndexFunc(trainMethods, func(m trainMethod) bool { return m.name == name })
	for _, f := range c.verb.flags {
		flag := f.Names()[0]
		if !c.IsSet(flag) {
			continue
		}
		var of []string
		for _, m := range trainMethods {
			if slices.ContainsFunc(m.flags, func(g cli.Flag) bool { return g.Names()[0] == flag }) {
				of = append(of, m.name)
			}
		}
		switch {
		case i < 0 && (of != nil || flag == "test"):
			return nil, misuse("--%s goes with --method", flag)
		case i >= 0 && of != nil && !slices.Contains(of, name):
			return nil, misuse("--%s: --method %s has no use for it, %s has", flag, name, strings.Join(of, ", "))
		case i >= 0 && of == nil && !slices.Contains(everyMethodTakes, flag) && !slices.Contains(trainMethods[i].takes, flag) && !steersReaders(flag):
			return nil, misuse("--%s: --method %s has no use for it", flag, name)
		}
	}
	if i < 0 {
		return nil, nil
	}
	switch {
	case c.Out() == "":
		return nil, misuse("--method %s needs --out DIR, the folder that the trained model goes to", name)
	case len(c.List("data")) == 0:
		return nil, misuse("flag --data is missing: what to train on")
	case c.IsSet("steps") && c.IsSet("epochs"):
		return nil, misuse("--steps and --epochs exclude each other")
	}
	if check := trainMethods[i].check; check != nil {
		if err := check(c); err != nil {
			return nil, err
		}
	}
	return &trainMethods[i], nil
}

// steersReaders reports whether a flag says how data are read.
func steersReaders(flag string) bool {
	return slices.ContainsFunc(dataFlags(), func(f cli.Flag) bool { return f.Names()[0] == flag })
}

// runTrainMethod is the frame that methods share.
func runTrainMethod(c *call, m *trainMethod) error {
	r := &methodRun{call: c, path: c.Arg(0), begun: time.Now()}
	if info, err := os.Stat(r.path); err == nil && info.IsDir() {
		return misuse("--method %s trains a model file, %s is a folder: graft train DIR without --method trains artifacts", m.name, quote(r.path))
	}
	if err := r.read(m.batch); err != nil {
		return err
	}
	if c.Common.DryRun {
		per := (r.data.samples() + r.size - 1) / r.size
		c.JSON(map[string]any{"method": m.name, "samples": r.data.samples(), "batch": r.size, "steps_per_epoch": per})
		c.Print("would train %s by %s on %d samples in batches of %d, into %s", r.path, m.name, r.data.samples(), r.size, c.Out())
		return nil
	}
	var err error
	if err := r.open(m); err != nil {
		return err
	}
	result, err := m.run(r)
	c.Progress().Done()
	if err != nil {
		return leaveWork(r.dir, r.graded(err))
	}
	if err := r.write(m, result); err != nil {
		return errors.Join(err, r.dir.Abort())
	}
	if err := r.dir.Commit(); err != nil {
		return folderError(c.Out(), err)
	}
	c.JSON(result.Summary)
	for _, line := range result.Lines {
		c.Print("%s", line)
	}
	return nil
}

// open makes the work folder, or finds the one that --resume goes on in, which must have been begun with the same flags.
func (r *methodRun) open(m *trainMethod) error {
	begin := outdir.Create
	if r.Bool("resume") {
		begin = outdir.Resume
	}
	var err error
	if r.dir, err = begin(r.Out(), r.Common.Force); err != nil {
		return folderError(r.Out(), err)
	}
	if !slices.Contains(m.takes, "resume") {
		return nil
	}
	settings, err := r.settings(m)
	if err == nil {
		err = sameSettings(r.dir, settings)
	}
	if err != nil {
		return errors.Join(err, r.dir.Suspend())
	}
	return nil
}

// settings are what a run that is resumed must have been begun with.
func (r *methodRun) settings(m *trainMethod) (map[string]string, error) {
	hash, err := limits.HashFile(r.path)
	if err != nil {
		return nil, refused(r.path, err)
	}
	now := map[string]string{"model": hash, "seed": fmt.Sprint(r.Common.Seed), "batch": fmt.Sprint(r.size), "samples": fmt.Sprint(r.data.samples())}
	for _, f := range r.verb.flags {
		if name := f.Names()[0]; r.IsSet(name) && !slices.Contains(append([]string{"resume", "test", "batch"}, m.late...), name) {
			now[name] = fmt.Sprint(r.parsed.Value(name))
		}
	}
	return now, nil
}

// graded gives an error of a method its exit code.
func (r *methodRun) graded(err error) error {
	var known *Error
	if errors.As(err, &known) || r.Context().Err() != nil {
		return err
	}
	if errors.Is(err, training.ErrDiverged) {
		return &Error{File: r.path, Err: err, Code: exitRuntime, Hint: "take a smaller learning rate"}
	}
	return noEvidence(r.path, err)
}

// read reads the model and its data; batch is what is usual for the method.
func (r *methodRun) read(batch int64) error {
	var err error
	if r.model, err = r.loadModel(r.path); err != nil {
		return err
	}
	sets, err := r.trainingSets(r.model, r.path, nil)
	if err != nil {
		return err
	}
	r.contract, r.data, r.test = sets.contract, sets.train, sets.test
	r.size = r.data.size(int64(r.Int("batch")))
	if batch > 0 && !r.IsSet("batch") && r.data.fixed == 0 {
		r.size = min(batch, r.data.samples())
	}
	if n := int64(r.Int("batch")); r.data.fixed > 0 && n > 0 && n != r.data.fixed {
		return misuse("--batch %d: the model has its batch fixed at %d", n, r.data.fixed)
	}
	if n := r.data.samples(); n < r.size {
		return refused(r.data.file, fmt.Errorf("%s: %d samples are less than a batch of %d: take a smaller --batch", r.data.file, n, r.size))
	}
	return nil
}

// trainingSets are what a classifier is trained on and judged by.
type trainingSets struct {
	contract    *training.Contract
	train, test *sampleSet // test is nil without --test
}

// trainingSets reads the samples of --data that are chosen, and those of --test, and standardizes both where that is chosen. Where apart,
// which may be nil, gives a fraction, --test is no file but that part of --data.
func (c *call) trainingSets(m *onnx.Model, path string, apart func(test string) (float64, error)) (*trainingSets, error) {
	contract, train, err := c.labelled(m, path, c.List("data"), nil)
	if err != nil {
		return nil, err
	}
	chosen, err := c.sampleChoice()
	if err != nil {
		return nil, err
	}
	if err := chosen.choose(train); err != nil {
		return nil, err
	}
	reader := &dataReader{c, contract}
	reader.warnEmpty(train)
	s := &trainingSets{contract: contract, train: train}
	if test := c.Text("test"); test != "" {
		if err := s.readTest(reader, test, apart); err != nil {
			return nil, err
		}
	}
	_, err = reader.standardized(chosen, s.train, s.test)
	return s, err
}

func (s *trainingSets) readTest(reader *dataReader, test string, apart func(test string) (float64, error)) error {
	if apart != nil {
		part, err := apart(test)
		if err != nil {
			return err
		}
		if part > 0 {
			if s.train, s.test, err = s.train.parted(part, reader.Common.Seed); err != nil {
				return misuse("--test: %v", err)
			}
			return nil
		}
	}
	config, err := reader.readConfig()
	if err != nil {
		return err
	}
	config.Test, config.Classes, config.Vocabulary = true, s.train.classes, s.train.vocabulary
	s.test, err = reader.readSet([]string{test}, config)
	return err
}

// labelled reads labelled samples for a classifier. adjust, which may be nil, changes what the flags say of how.
func (c *call) labelled(m *onnx.Model, path string, files []string, adjust func(*dataset.ReadConfig)) (*training.Contract, *sampleSet, error) {
	entropy, err := loss.Lookup("cross-entropy")
	if err != nil {
		return nil, nil, err
	}
	contract, err := training.SaliencyConfig{Needs: masking.NeedGradient, Loss: entropy}.Contract(m)
	if err != nil {
		return nil, nil, misnamed(path, err)
	}
	reader := &dataReader{c, contract}
	config, err := reader.readConfig()
	if err != nil {
		return nil, nil, err
	}
	if adjust != nil {
		adjust(&config)
	}
	set, err := reader.readSet(files, config)
	if err != nil {
		return nil, nil, err
	}
	if set.samples() == 0 {
		return nil, nil, refused(set.file, fmt.Errorf("%s: no samples to draw batches of: the model's batch is fixed at all of them", set.file))
	}
	return contract, set, nil
}

// samples is the number of samples; 0 where every step gets the data whole.
func (d *sampleSet) samples() (n int64) {
	for _, rows := range d.rows {
		n = rows.Len()
	}
	return n
}

// shuffled are batches of a set in an order of chance, ordered ones every sample once.
func (r *methodRun) shuffled(d *sampleSet) (*dataset.Batches, error) {
	return d.batches(dataset.BatchConfig{Size: r.size, Partial: d.fixed == 0, Seed: r.Common.Seed})
}

func (r *methodRun) ordered(d *sampleSet) (*dataset.Batches, error) { return d.inOrder(r.size) }

// inOrder are batches of all samples in order. Of a model whose batch is fixed what is left at the end is left out.
func (d *sampleSet) inOrder(size int64) (*dataset.Batches, error) {
	if d.fixed == 0 {
		size = max(size, min(d.samples(), 500))
	}
	return d.blocks(size)
}

// blocks are batches of that size of all samples in order.
func (d *sampleSet) blocks(size int64) (*dataset.Batches, error) {
	return d.batches(dataset.BatchConfig{Size: size, Partial: d.fixed == 0, Ordered: true})
}

// epochs is how long to train; def without --epochs and --steps.
func (r *methodRun) epochs(def, per int64) int64 {
	switch {
	case r.IsSet("epochs"):
		return int64(r.Int("epochs"))
	case r.IsSet("steps"):
		return max(1, (int64(r.Int("steps"))+per-1)/per)
	}
	return def
}

// write fills the folder.
func (r *methodRun) write(m *trainMethod, result *methodResult) error {
	model, err := encodeModel(result.Model, "model.onnx")
	if err != nil {
		return err
	}
	summary, err := json.MarshalIndent(result.Summary, "", "  ")
	if err != nil {
		return err
	}
	var history bytes.Buffer
	w := csv.NewWriter(&history)
	if err := w.WriteAll(result.History); err != nil {
		return err
	}
	files := map[string][]byte{"model.onnx": model, "summary.json": append(summary, '\n'), "history.csv": history.Bytes()}
	for name, data := range result.Files {
		files[name] = data
	}
	if words := r.data.vocabulary; words != nil {
		files[vocabularyFile] = vocabularyText(words)
	}
	manifest := export.NewManifest(readVersion().Version)
	manifest.Settings = map[string]any{"verb": "train", "method": m.name, "model": filepath.Base(r.path), "seed": r.Common.Seed}
	for k, v := range result.Settings {
		manifest.Settings[k] = v
	}
	for name, data := range files {
		if err := r.dir.WriteFile(name, data); err != nil {
			return folderError(r.Out(), err)
		}
		manifest.Add(name, data)
	}
	if err := dropWork(r.dir, result.Work...); err != nil {
		return err
	}
	return writeManifest(r.dir, manifest)
}
