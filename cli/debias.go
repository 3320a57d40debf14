package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"graft/cli/outdir"
	"graft/export/language"
	"graft/onnx"
	"graft/onnx/tokenizer"
	"graft/training/prosocial"
)

// debiasMethod is a way to make a language model less biased: a row of debiasMethods. The frame reads the model and writes the folder.
type debiasMethod struct {
	name, doc string
	flags     []cli.Flag // its own; rows may share flags
	resumes   bool       // it keeps its state in the folder, and takes --resume
	check     func(*call) error
	run       func(*debiasing) error
}

// debiasMethods lists the methods of --method.
var debiasMethods = slices.Concat(debiasTunings, debiasProjections, debiasHeads)

// debiasing is a run of a method, which changes network, and edit for what weights cannot hold.
type debiasing struct {
	*call
	method    *debiasMethod
	source    *language.Source
	tokenizer *tokenizer.Tokenizer
	network   *prosocial.Network
	edit      func(*onnx.Model) error // changes the network before it is written; nil: not at all
	dir       *outdir.Dir             // nil with --dry-run
	report    any                     // of the method, for --json
	lines     []string                // of the method, that are printed
}

// debiased is the document of graft debias --json.
type debiased struct {
	convertedFile
	Method  string  `json:"method"`
	Report  any     `json:"report,omitempty"`
	Seconds float64 `json:"seconds"`
}

var debiasVerb = verb{
	name: "debias", args: "MODEL", short: "make a language model less biased, and write it as a folder for any runtime",
	long: `MODEL is a folder of Hugging Face or of graft convert, or a .gguf file. The folder --out has what graft convert writes: model.onnx in
Optimum's layout with the tokenizer's files, or with --to huggingface safetensors.

Methods:

` + debiasMethodLines() + `

graft bias OUT --against MODEL tells what has changed.`,
	examples: []string{
		"graft debias smollm2/ --method cda --text corpus.txt --out debiased/",
		"graft debias smollm2/ --method cda --text corpus.txt --rank 0 --rate 2e-5 --to huggingface --out debiased/",
		"graft debias bert/ --method dropout --text corpus.txt --dropout 0.15 --out debiased/",
	},
	groups: writes | runsModel | trains,
	flags:  debiasFlags(),
	run:    runDebias,
}

func debiasMethodNames() []string {
	names := make([]string, len(debiasMethods))
	for i, m := range debiasMethods {
		names[i] = m.name
	}
	return names
}

func debiasMethodLines() string {
	var lines []string
	for _, m := range debiasMethods {
		lines = append(lines, fmt.Sprintf("  %-16s %s", m.name, m.doc))
	}
	return strings.Join(lines, "\n")
}

// debiasFlags are those of the frame, then those of the methods, each once.
func debiasFlags() []cli.Flag {
	flags := []cli.Flag{
		choice("method", "", "how: one of the list above", debiasMethodNames()...),
		toggle("resume", "go on with the run that was cut off in this --out folder"),
	}
	for _, m := range debiasMethods {
		for _, f := range m.flags {
			if !slices.ContainsFunc(flags, func(g cli.Flag) bool { return g.Names()[0] == f.Names()[0] }) {
				flags = append(flags, f)
			}
		}
	}
	for _, f := range languageFlags {
		if f.Names()[0] != "gguf-type" {
			flags = append(flags, f)
		}
	}
	return flags
}

// debiasChosen is the method, whose flags are all that are given.
func (c *call) debiasChosen() (*debiasMethod, error) {
	name := c.Text("method")
	i := slices.Index(debiasMethodNames(), name)
	if i < 0 {
		return nil, misuse("flag --method is missing: one of %s", strings.Join(debiasMethodNames(), ", "))
	}
	m := &debiasMethods[i]
	has := func(m debiasMethod, flag string) bool {
		return slices.ContainsFunc(m.flags, func(f cli.Flag) bool { return f.Names()[0] == flag })
	}
	for _, f := range c.verb.flags {
		flag := f.Names()[0]
		if !c.IsSet(flag) || has(*m, flag) || flag == "resume" && m.resumes {
			continue
		}
		var others []string
		for _, o := range debiasMethods {
			if has(o, flag) || flag == "resume" && o.resumes {
				others = append(others, o.name)
			}
		}
		if others != nil {
			return nil, misuse("--%s: --method %s has no use for it, %s has", flag, name, strings.Join(others, ", "))
		}
	}
	if c.Out() == "" {
		return nil, misuse("flag --out is missing: the folder that the debiased model goes to")
	}
	if err := c.checkVariants(); err != nil {
		return nil, err
	}
	if m.check != nil {
		return m, m.check(c)
	}
	return m, nil
}

func runDebias(c *call) error {
	m, err := c.debiasChosen()
	if err != nil {
		return err
	}
	d := &debiasing{call: c, method: m}
	begun, path := time.Now(), c.Arg(0)
	if err := d.read(path); err != nil {
		return err
	}
	defer d.source.Close()
	if c.Common.DryRun {
		return m.run(d)
	}
	if err := d.open(path); err != nil {
		return err
	}
	err = m.run(d)
	c.Progress().Done()
	if err == nil {
		doc := debiased{Method: m.name, Report: d.report}
		if err = d.write(&doc); err == nil {
			doc.Seconds = time.Since(begun).Seconds()
			return d.tell(&doc)
		}
	}
	var known *Error
	if !errors.As(err, &known) && c.Context().Err() == nil {
		err = textError(err, path)
	}
	return leaveWork(d.dir, err)
}

// read opens the model and its tokenizer.
func (d *debiasing) read(path string) (err error) {
	if d.source, err = d.openLanguage(path); err != nil {
		return err
	}
	if d.tokenizer, err = d.wordsOf(d.source, path); err != nil {
		return err
	}
	weights, err := d.source.Weights(d.source.Options)
	if err != nil {
		return errors.Join(refused("", err), d.source.Close())
	}
	d.network = &prosocial.Network{Config: d.source.Config.Defaults(), Weights: weights}
	return nil
}

// open makes the work folder, or finds the one that --resume goes on in.
func (d *debiasing) open(path string) (err error) {
	begin := outdir.Create
	if d.Bool("resume") {
		begin = outdir.Resume
	}
	if d.dir, err = begin(d.Out(), d.Common.Force); err != nil {
		return folderError(d.Out(), err)
	}
	if !d.method.resumes {
		return nil
	}
	now := map[string]string{"seed": fmt.Sprint(d.Common.Seed)}
	for _, f := range d.verb.flags {
		if name := f.Names()[0]; d.IsSet(name) && !slices.Contains([]string{"resume", "variants", "to", "text", "words", "names", "tokenizer"}, name) {
			now[name] = fmt.Sprint(d.parsed.Value(name))
		}
	}
	if err := sameSettings(d.dir, now); err != nil {
		return errors.Join(err, d.dir.Suspend())
	}
	return nil
}

// write writes the folder.
func (d *debiasing) write(doc *debiased) error {
	if err := d.source.Replace(d.network.Config, d.network.Weights); err != nil {
		return err
	}
	doc.convertedFile = convertedFile{File: d.Out(), Format: "folder of Optimum's layout", Language: aboutLanguage(d.source)}
	if d.Text("to") == toHuggingFace {
		if d.edit != nil {
			return misuse("--to %s: --method %s changes the graph, which weights alone do not hold", toHuggingFace, d.method.name)
		}
		return d.writeBack(doc)
	}
	m, about, err := d.languageModel(d.source)
	if err != nil {
		return err
	}
	plain := m
	if d.edit != nil {
		m = m.Clone()
		if err := d.edit(m); err != nil {
			return err
		}
	}
	doc.Language, doc.Opset = about, m.Opset("")
	return d.fill(doc, d.source.Files, language.ModelName, func(path string) (*savedModel, error) {
		return d.saveVariants(plain, m, d.edit, path, about)
	})
}

// writeBack writes the folder in Hugging Face's layout.
func (d *debiasing) writeBack(doc *debiased) error {
	l, err := d.source.HuggingFace()
	if err != nil {
		return refused("", err)
	}
	doc.Format = "folder of Hugging Face's layout"
	if doc.Language.Parameters, err = d.source.Parameters(); err != nil {
		return refused("", err)
	}
	return d.fill(doc, l.Files, l.Name, func(path string) (*savedModel, error) {
		n, err := d.writeEach(path, l.Bytes, l.Write)
		return &savedModel{bytes: n}, err
	})
}

// fill writes what is to be in the folder, and takes out what only a resumed run needs.
func (d *debiasing) fill(doc *debiased, files map[string][]byte, large string, write func(string) (*savedModel, error)) error {
	return d.fillLanguage(d.dir, &doc.convertedFile, files, large, func(path string) (*savedModel, error) {
		saved, err := write(path)
		if err != nil {
			return nil, err
		}
		return saved, dropWork(d.dir)
	})
}

func (d *debiasing) tell(doc *debiased) error {
	doc.executed = d.executed()
	d.JSON(doc)
	l := doc.Language
	d.Print("%s: %s for %s, %s parameters, %s, by %s", doc.File, l.ModelType, l.Task, grouped(l.Parameters), size(doc.Bytes), doc.Method)
	for _, line := range d.lines {
		d.Print("%s", line)
	}
	return nil
}
