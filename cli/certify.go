package cli

import (
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"graft/onnx"
	"graft/onnx/limits"
	"graft/training"
	"graft/training/dataset"
	"graft/training/loss"
	"graft/training/pacbayes"
)

var certifyVerb = verb{
	name: "certify", args: "MODEL", short: "recompute a classifier's PAC-Bayes certificate from its files and the data",
	long: `MODEL is what graft train --method pac-bayes has written, with its certificate beside it: MODEL without its ending,
.certificate.safetensors. Checks that the model names that certificate, that it is of the model's weights and of the data, and
computes it anew: the divergence of posterior and prior, and the errors of as many drawn classifiers, the same ones. The answer
is no (exit code 1) where anything differs.

--data is read as graft train reads it, and as it was for the training, unless flags say otherwise.`,
	examples: []string{"graft certify trained/model.onnx --data digits.npz"},
	groups:   readsModel | runsModel,
	flags: slices.Concat([]cli.Flag{
		repeated("data", "PATH", "the samples that were trained on; repeatable").under("Data"),
	}, dataFlags(), []cli.Flag{
		text("certificate", "FILE", "the certificate; beside the model without it"),
		number("tolerance", "X", between(0, 1), 1e-4, "by how much the recomputed certificate may differ"),
	}),
	run: runCertify,
}

// certified is the document of graft certify --json.
type certified struct {
	executed
	Matches    bool                  `json:"matches"`
	Reasons    []string              `json:"reasons,omitempty"`     // where it does not
	Value      *float64              `json:"certificate,omitempty"` // recomputed
	Recorded   *pacbayes.Certificate `json:"recorded"`
	Recomputed *pacbayes.Certificate `json:"recomputed,omitempty"`
	PriorOf    string                `json:"prior_of"`
}

func runCertify(c *call) error {
	if len(c.List("data")) == 0 {
		return misuse("flag --data is missing: the samples that the certificate is of")
	}
	path := c.Arg(0)
	m, err := c.loadModel(path)
	if err != nil {
		return err
	}
	file := c.Text("certificate")
	if file == "" {
		file = strings.TrimSuffix(path, filepath.Ext(path)) + ".certificate.safetensors"
	}
	read, err := pacbayes.ReadCertificate(file)
	if err != nil {
		return refused(file, err)
	}
	hash, err := limits.HashFile(file)
	if err != nil {
		return refused(file, err)
	}
	recorded, record := &read.Certificate, &read.Record
	gated, err := c.gatedClassifier(m, file, record)
	if err != nil {
		return misnamed(path, err)
	}
	doc := &certified{Recorded: recorded, PriorOf: record.PriorOf}
	differs := func(format string, a ...any) { doc.Reasons = append(doc.Reasons, fmt.Sprintf(format, a...)) }
	gibbs, err := read.Gibbs(gated)
	if err != nil && !errors.Is(err, pacbayes.ErrOtherWeights) {
		return refused(file, err)
	}
	switch named, ok := m.Metadata.Get(metadataCertificate); {
	case !ok:
		differs("the model names no certificate")
	case named != hash:
		differs("the model names another certificate than %s", file)
	}
	if err != nil {
		differs("%v", err)
		return c.tellCertified(doc)
	}
	if err := c.recertify(m, path, gibbs, recorded, record, doc, differs); err != nil {
		return err
	}
	return c.tellCertified(doc)
}

// gatedClassifier is the classifier that a certificate is of.
func (c *call) gatedClassifier(m *onnx.Model, file string, record *pacbayes.Record) (*training.Gated, error) {
	entropy, err := loss.Lookup("cross-entropy")
	if err != nil {
		return nil, err
	}
	config := training.ArtifactConfig{Loss: entropy, Provider: c.Common.Provider}
	if record.Freeze != "" {
		if config.Freeze, err = regexp.Compile(record.Freeze); err != nil {
			return nil, refused(file, limits.InFile(file, limits.Refuse("freeze", "%v", err)))
		}
	}
	return training.NewGated(m, config)
}

// recertify computes the certificate anew and says what differs.
func (c *call) recertify(m *onnx.Model, path string, gibbs *pacbayes.Gibbs, recorded *pacbayes.Certificate, record *pacbayes.Record, doc *certified, differs func(string, ...any)) error {
	all, err := c.recordedData(m, path, record)
	if err != nil {
		return err
	}
	rest := all
	config := pacbayes.CertifyConfig{Delta: recorded.Delta, DeltaDraws: recorded.DeltaDraws, Draws: recorded.Draws, Whole: recorded.Block == 0, Seed: recorded.Seed, Session: c.runtimeOptions(), Told: c.toldDraws()}
	size := all.size(0)
	if record.Part > 0 {
		var apart *sampleSet
		if rest, apart, err = all.parted(record.Part, record.PartSeed); err != nil {
			return refused(all.file, err)
		}
		if config.Norms, err = apart.inOrder(size); err != nil {
			return err
		}
	}
	whole, err := all.inOrder(size)
	if err != nil {
		return err
	}
	hash, err := whole.Hash()
	if err != nil {
		return refused(all.file, err)
	}
	if hash != record.Data {
		differs("the data are not those that the certificate is of")
		return nil
	}
	if recorded.Block > 0 {
		config.Data, err = rest.blocks(min(recorded.Block, rest.samples()))
	} else {
		config.Data, err = rest.inOrder(size)
	}
	if err != nil {
		return err
	}
	again, err := gibbs.Certify(c.Context(), config)
	c.Progress().Done()
	if err != nil {
		return noEvidence(path, err)
	}
	doc.Recomputed, doc.Value = again, &again.Value
	tolerance := c.Float("tolerance")
	for _, k := range []struct {
		name         string
		before, then float64
		within       float64
	}{
		{"n", float64(recorded.Samples), float64(again.Samples), 0},
		{"KL", recorded.KL, again.KL, 1e-6 * again.KL},
		{"the price of the prior's choice", recorded.Union, again.Union, 1e-9},
		{"the error of the draws", recorded.Risk, again.Risk, tolerance},
		{"the certificate", recorded.Value, again.Value, tolerance},
	} {
		if !(math.Abs(k.before-k.then) <= k.within) {
			differs("%s is %.6g, recorded is %.6g", k.name, k.then, k.before)
		}
	}
	return nil
}

// recordedData reads --data as for the training; flags come first.
func (c *call) recordedData(m *onnx.Model, path string, record *pacbayes.Record) (*sampleSet, error) {
	_, set, err := c.labelled(m, path, c.List("data"), func(config *dataset.ReadConfig) {
		of := record.Reading
		if !c.IsSet("label") {
			config.Label = of.Label
		}
		if !c.IsSet("length") && of.Length > 0 {
			config.Length = of.Length
		}
		if !c.IsSet("words") && of.Words > 0 {
			config.Words = of.Words
		}
		if !c.IsSet("mean") && !c.IsSet("std") {
			config.Normalize = dataset.Normalization{Mean: of.Mean, Std: of.Std}
		}
	})
	if err != nil {
		return nil, err
	}
	of := record.Reading
	chosen := sampleChoice{samples: of.Samples, perClass: of.PerClass, seed: of.Seed}
	return set, chosen.choose(set)
}

func (c *call) tellCertified(doc *certified) error {
	doc.Matches, doc.executed = doc.Reasons == nil, c.executed()
	c.JSON(doc)
	if r := doc.Recomputed; r != nil {
		c.Print("%s", r.String())
		c.Print("errors of %d drawn classifiers: %.3f %%, of the posterior at most %.3f %%; McAllester %.4g, quadratic %.4g, Catoni %.4g", r.Networks, 100*r.Risk, 100*r.RiskBound, r.McAllester, r.Quadratic, r.Catoni)
		c.Print("prior: %s; independent of the samples is for who made it to say", doc.PriorOf)
	}
	if doc.Matches {
		c.Print("the certificate is that of the files and the data")
		return nil
	}
	return no(strings.Join(doc.Reasons, "; "))
}
