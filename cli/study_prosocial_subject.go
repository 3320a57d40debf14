package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/urfave/cli/v2"

	"graft/export/language"
	net "graft/graphs/language"
	"graft/onnx/limits"
	"graft/onnx/tokenizer"
	sets "graft/training/dataset/text"
	"graft/training/metric/bias"
	"graft/training/prosocial"
	"graft/training/study"
)

// Sections of the flags of a study of one's own model, text and task.
const (
	sectionOwn  = "Your own model, text and task"
	sectionTask = "Your own task"
)

func prosocialSubjectFlags() []cli.Flag {
	var tasks []string
	for _, k := range prosocialTasks {
		tasks = append(tasks, string(k))
	}
	return []cli.Flag{
		text("model", "PATH", "a pretrained language model in place of one of the made world: a folder, a .gguf or a llama2.c file").under(sectionOwn),
		text("tokenizer", "PATH", "its tokenizer (default: beside it)").under(sectionOwn),
		text("text", "FILE", "text to debias on, a sample a line; without --model a BERT is pretrained on it, in which genders go with occupations in --bias of the lines").under(sectionOwn),
		text("words", "FILE", "pairs of words, two in a line (default: of gender)").under(sectionOwn),
		text("names", "FILE|common", "pairs of names, swapped where they begin with a capital").under(sectionOwn),
		text("occupations", "FILE", "occupations: a list of debiaswe with their stereotypes; with --text alone, words of the text a line").under(sectionOwn),
		integer("length", "N", 4, 1<<16, 128, "tokens that are taken of a text").under(sectionOwn),
		integer("rank", "N", 0, 1<<12, 0, "debias by adapters (LoRA) of this rank; 0: all weights").under(sectionOwn),
		integer("vocabulary", "N", 100, 1<<20, 6000, "tokens that are made of --text where there is no --model").under(sectionOwn),
		choice("task", "", "what is tuned for, in place of the made world's task", tasks...).under(sectionTask),
		text("data", "FILE", "the task's training set").under(sectionTask),
		text("pairs", "FILE", "premises and hypotheses by which the bias of nli is measured (default: made of templates)").under(sectionTask),
	}
}

// prosocialTasks are data sets that are tuned for.
var prosocialTasks = []sets.Kind{sets.SST2, sets.STS, sets.NLI, sets.BiasBios}

// prosocialSubject is what a study goes through the chain with where that is not the made world.
type prosocialSubject struct {
	source      *language.Source // nil: a network is trained on the text
	tokenizer   *tokenizer.Tokenizer
	task        string // of the language model
	words       *prosocial.Words
	lines       []string // of --text
	men, women  []string
	occupations []string // words of --occupations where there is no model
	train, test *sets.Set
	pairs       *sets.Set
	parameters  study.Cell // what the files are
	load        func() (*prosocial.Network, error)
}

// subject reads what the flags name; nil: the made world.
func (s *prosocialStudy) subject() (*prosocialSubject, error) {
	if err := s.subjectFlags(); err != nil {
		return nil, err
	}
	if !s.IsSet("model") && !s.IsSet("text") {
		return nil, nil
	}
	u := &prosocialSubject{task: net.FillMask}
	var err error
	if u.words, err = s.swappedWords(); err != nil {
		return nil, err
	}
	if path := s.Text("text"); path != "" {
		if u.lines, err = readLines(path); err != nil {
			return nil, err
		}
	}
	if err := s.readTask(u); err != nil {
		return nil, err
	}
	if err := s.readOccupations(u); err != nil {
		return nil, err
	}
	if path := s.Text("model"); path != "" {
		if err := s.readModel(u, path); err != nil {
			return nil, err
		}
	}
	return u, u.hash(s.call)
}

// subjectFlags refuses flags that do not go together.
func (s *prosocialStudy) subjectFlags() error {
	model, own, task := s.IsSet("model"), s.IsSet("model") || s.IsSet("text"), s.IsSet("task")
	for _, f := range []struct {
		names string
		ok    bool
		with  string
	}{
		{"layers width heads bias sentences pretrain-steps vocabulary", !model, "is of a network that is trained here, --model has one"},
		{"tokenizer rank length", model, "goes with --model"},
		{"words names occupations", own, "goes with --model or --text"},
		{"data pairs", task, "goes with --task"},
		{"task", own, "goes with --model or --text: the made world has a task of its own"},
	} {
		for _, name := range strings.Fields(f.names) {
			if s.IsSet(name) && !f.ok {
				return misuse("--%s %s", name, f.with)
			}
		}
	}
	number := s.tested() > 0
	switch {
	case model && !task:
		return misuse("--model wants --task, what it is tuned for: one of %v", prosocialTasks)
	case task && (!s.IsSet("data") || !s.IsSet("test") || number):
		return misuse("--task wants --data FILE to tune on and --test FILE to test on")
	case !task && !number:
		return misuse("--test %s: wants a number of sentences, or with --task a file", quote(s.Text("test")))
	case s.IsSet("vocabulary") && !s.IsSet("text"):
		return misuse("--vocabulary goes with --text")
	case s.IsSet("pairs") && s.Text("task") != string(sets.NLI):
		return misuse("--pairs goes with --task nli")
	}
	return nil
}

// readTask reads the sets of --task.
func (s *prosocialStudy) readTask(u *prosocialSubject) (err error) {
	kind := sets.Kind(s.Text("task"))
	if kind == "" {
		return nil
	}
	read := func(kind sets.Kind, path string) (*sets.Set, error) {
		set, err := kind.Read(path, sets.Reading{})
		if err != nil {
			return nil, refused(path, err)
		}
		if set.Skips > 0 {
			s.Say("%s: %s skipped, the first in line %d: %s", path, counted(set.Skips, "row"), set.Skipped[0].Line, set.Skipped[0].Reason)
		}
		if set.Undecided > 0 {
			s.Say("%s: %s left out whose annotators did not agree", path, counted(set.Undecided, "row"))
		}
		return set, nil
	}
	if u.train, err = read(kind, s.Text("data")); err != nil {
		return err
	}
	if u.test, err = read(kind, s.Text("test")); err != nil {
		return err
	}
	if path := s.Text("pairs"); path != "" {
		u.pairs, err = read(sets.BiasNLI, path)
	}
	return err
}

// mostOccupations is how many occupations of a list are asked about.
const mostOccupations = 60

// readOccupations reads --occupations.
func (s *prosocialStudy) readOccupations(u *prosocialSubject) error {
	u.men, u.women = prosocial.Occupations()
	path := s.Text("occupations")
	if path == "" {
		return nil
	}
	list, skips, err := bias.ReadOccupations(path)
	if err != nil {
		return refused(path, err)
	}
	if skips.Count > 0 {
		s.Say("%s: %s skipped, the first: %s", path, counted(skips.Count, "entry"), skips.Rows[0])
	}
	if s.Text("model") == "" {
		for _, o := range list {
			u.occupations = append(u.occupations, o.Name)
		}
		return nil
	}
	if u.men, u.women = prosocial.Stereotyped(list, mostOccupations); len(u.men) == 0 {
		return &Error{File: path, Code: exitInput, Reason: "says of no occupation of men and of women which gender it has by stereotype",
			Hint: "a list of [word, gender by definition, gender by stereotype] does, as debiaswe's professions.json"}
	}
	return nil
}

// readModel opens --model.
func (s *prosocialStudy) readModel(u *prosocialSubject, path string) error {
	source, err := openSource(path)
	if err != nil {
		return err
	}
	if u.tokenizer, err = s.wordsOf(source, path); err != nil {
		return err
	}
	if net.Decoder(source.Config.ModelType) {
		u.task = net.TextGeneration
	}
	// All of its weights are looked for now, and read when a cell begins.
	if err := source.SetTask(u.task); err != nil {
		return errors.Join(refused(path, err), source.Close())
	}
	if _, err := source.Parameters(); err != nil {
		return errors.Join(refused("", err), source.Close())
	}
	u.source = source
	u.load = sync.OnceValues(func() (*prosocial.Network, error) {
		weights, err := source.Weights(source.Options)
		if err != nil {
			return nil, err
		}
		return &prosocial.Network{Config: source.Config.Defaults(), Weights: weights}, nil
	})
	return nil
}

// hash puts down what the files are.
func (u *prosocialSubject) hash(c *call) error {
	short := func(path string) (string, error) {
		h, err := limits.HashFile(path)
		if err != nil {
			return "", refused(path, err)
		}
		return h[:16], nil
	}
	for _, flag := range []string{"model", "tokenizer", "text", "words", "names", "occupations", "task", "data", "test", "pairs"} {
		value := c.Text(flag)
		if value == "" {
			continue
		}
		var err error
		switch {
		case flag == "task" || value == "common" && flag == "names" || flag == "test" && !c.IsSet("task"):
		case isFolder(value):
			value, err = hashFolder(value, short)
		default:
			value, err = short(value)
		}
		if err != nil {
			return err
		}
		u.parameters = u.parameters.With(flag, value)
	}
	return nil
}

// hashFolder is that of the files that a model in a folder is made of.
func hashFolder(path string, hash func(string) (string, error)) (string, error) {
	entries, err := os.ReadDir(path)
	if err != nil {
		return "", refused(path, err)
	}
	all := ""
	for _, e := range entries {
		switch name := e.Name(); {
		case strings.HasSuffix(name, ".safetensors"), strings.HasSuffix(name, ".bin"), strings.HasSuffix(name, ".json"), strings.HasSuffix(name, ".txt"),
			name == language.ModelName, strings.HasPrefix(name, language.ModelName+"_data"):
			h, err := hash(filepath.Join(path, name))
			if err != nil {
				return "", err
			}
			all += h[:8]
		}
	}
	return all, nil
}

// prepared is a subject for a seed: a network and what it goes through the chain with.
type prepared struct {
	network *prosocial.Network
	corpora *prosocial.Corpora
	task    *prosocial.Task
	notes   []string
}

// prepare makes the corpora of a seed, and pretrains a network where there is none.
func (u *prosocialSubject) prepare(ctx context.Context, s *prosocialStudy, seed uint64, c *prosocial.ChainConfig) (*prepared, error) {
	p := &prepared{}
	by := prosocial.Intervention(s.Text("intervention"))
	var e *prosocial.Encoder
	var prompts *prosocial.Prompts
	var world *prosocial.TextWorld
	var pairs []string
	men, women := u.men, u.women
	if u.source == nil {
		var err error
		config := prosocial.TextConfig{Bias: s.Float("bias"), Occupations: u.occupations, Words: u.words, Vocabulary: s.Int("vocabulary"), Counterfactual: s.Int("counterfactual"), Seed: seed}
		if s.IsSet("sentences") {
			config.Sentences = s.Int("sentences")
		}
		if world, err = prosocial.NewTextWorld(u.lines, config); err != nil {
			return nil, refused(s.Text("text"), err)
		}
		e, men, women, pairs = world.Encoder(), world.Men, world.Women, world.Counterfactual
		if prompts, err = world.Prompts(by); err != nil {
			return nil, err
		}
		n, err := prosocial.NewNetwork(world.Config(int64(s.Int("layers")), int64(s.Int("width")), int64(s.Int("heads"))), net.FillMask, seed)
		if err != nil {
			return nil, err
		}
		p.notes = append(p.notes, fmt.Sprintf("%s of %s are about an occupation: men's %s; women's %s.", counted(world.Stereotyped, "line"), counted(len(u.lines), "line"), strings.Join(men, ", "), strings.Join(women, ", ")))
		steps := s.steps("pretrain")
		if p.network, err = world.Pretrain(ctx, n, prosocial.Course{Steps: steps, Batch: s.Int("batch"), Rate: 2 * s.rate()},
			prosocial.Tuning{Seed: seed, Session: c.Session, Checkpoint: c.Checkpoint("pretrain"), Told: func(step int64, loss float64) {
				if c.Told != nil {
					c.Told("pretrain", step, steps, loss)
				}
			}}); err != nil {
			return nil, err
		}
	} else {
		n, err := u.load()
		if err != nil {
			return nil, err
		}
		p.network, e = n, n.Encoder(u.tokenizer, s.Int("length"))
		if prompts, err = e.Prompts(men, women, by, 0); err != nil {
			return nil, err
		}
		if pairs, err = u.counterfactual(s); err != nil {
			return nil, err
		}
	}
	if len(prompts.Left) > 0 {
		p.notes = append(p.notes, fmt.Sprintf("%s left out for want of a counterpart of as many tokens: %s.", counted(len(prompts.Left), "occupation"), strings.Join(prompts.Left, ", ")))
	}
	if prompts.Pieces {
		p.notes = append(p.notes, "He and she are several tokens of this tokenizer: the first that differ are compared.")
	}
	tokens, err := e.Tokens(p.network.Config.VocabSize)
	if err != nil {
		return nil, err
	}
	counterfactual, err := e.Texts(pairs)
	if err != nil {
		return nil, err
	}
	if u.train != nil {
		p.task, err = prosocial.NewTask(e, prosocial.TaskConfig{Train: u.train, Test: u.test, Words: u.words, Men: men, Women: women, Pairs: u.pairs})
	} else {
		p.task, err = world.Task()
	}
	if err != nil {
		return nil, err
	}
	p.notes = append(p.notes, p.task.Notes...)
	if e.Cut > 0 {
		p.notes = append(p.notes, fmt.Sprintf("%s cut to %d tokens.", counted(e.Cut, "text"), e.Longest))
	}
	if p.network, err = p.network.WithLabels(p.task.Labels); err != nil {
		return nil, err
	}
	if pad := p.network.Config.PadTokenID; pad >= 0 { // positions and classifiers look for it
		tokens.Pad = pad
	} else {
		p.network.Config.PadTokenID = tokens.Pad
	}
	train := p.task.Train.Shuffled(seed) // files may be sorted by class
	if u.train != nil {
		train = train.First(s.trained())
	}
	p.corpora = &prosocial.Corpora{Tokens: tokens, Task: u.task, Counterfactual: slices.DeleteFunc(counterfactual, func(ids []int64) bool { return len(ids) < 2 }),
		Mediation: prompts.Prompts, Probes: prompts.Prompts, ProbesEach: prompts.Each, Train: train, Measure: p.task.Measure}
	return p, nil
}

// counterfactual are lines of --text, else of the task's training set, with their counterfactuals.
func (u *prosocialSubject) counterfactual(s *prosocialStudy) ([]string, error) {
	lines, path := u.lines, s.Text("text")
	if path == "" {
		path = s.Text("data")
		for _, x := range u.train.Examples {
			lines = append(lines, x.First)
			if x.Second != "" {
				lines = append(lines, x.Second)
			}
		}
	}
	out, err := u.words.Lines(lines, false, &prosocial.Augmented{})
	if err != nil {
		return nil, refused(path, err)
	}
	return out[:min(len(out), 2*s.Int("counterfactual"))], nil
}

// rate is --lr, which has another usual value for networks that were pretrained elsewhere.
func (s *prosocialStudy) rate() float64 {
	if s.IsSet("model") && !s.IsSet("lr") {
		return 5e-5
	}
	return s.Float("lr")
}

// trained is how many samples are tuned on.
func (s *prosocialStudy) trained() int {
	if s.own != nil && s.own.train != nil {
		n := len(s.own.train.Examples)
		if s.IsSet("train") {
			n = min(n, s.Int("train"))
		}
		return n
	}
	return s.Int("train")
}

// runOwn does a cell with a subject.
func (s *prosocialStudy) runOwn(ctx context.Context, seed uint64, work string) (any, error) {
	c := s.config(seed).ChainConfig
	c.Work, c.SaveEvery = work, 200
	if rank := s.Int("rank"); rank > 0 {
		c.Adapter = &prosocial.Adapter{Rank: int64(rank)}
	}
	p, err := s.own.prepare(ctx, s, seed, &c)
	if err != nil {
		return nil, err
	}
	for _, note := range p.notes {
		s.Say("seed %d: %s", seed, note)
	}
	out, err := prosocial.RunChain(ctx, p.network, p.corpora, c)
	if err != nil {
		return nil, err
	}
	out.Notes = p.notes
	return out, nil
}

// tested is the number of sentences that the made world tests on.
func (s *prosocialStudy) tested() int {
	if !s.IsSet("test") {
		return 1000
	}
	n, _ := strconv.Atoi(s.Text("test"))
	return n
}

// takes reports whether a cell depends on a flag of numbers.
func (s *prosocialStudy) takes(flag string) bool {
	if s.own == nil {
		return true
	}
	switch flag {
	case "layers", "width", "heads", "bias":
		return s.own.source == nil
	case "sentences", "train":
		return s.IsSet(flag)
	case "test":
		return false
	case "lr":
		return s.IsSet(flag) || s.own.source == nil
	}
	return true
}

// ownCell adds what a subject is to a cell.
func (s *prosocialStudy) ownCell(c study.Cell) study.Cell {
	if s.own.source != nil {
		c = c.With("length", s.Int("length")).With("rank", s.Int("rank"))
	} else {
		c = c.With("vocabulary", s.Int("vocabulary"))
	}
	return append(c, s.own.parameters...)
}

// stepTime is what a step takes, by the size of the network: a processor core makes some 20 thousand million multiplications a second of it.
func (u *prosocialSubject) stepTime(c *call) float64 {
	n, err := u.source.Parameters()
	if err != nil {
		return 0
	}
	const usual = 32 // tokens of a text
	return 6 * float64(n) * float64(c.Int("batch")*usual) / 2e10
}
