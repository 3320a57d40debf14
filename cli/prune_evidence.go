package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"graft/masking"
	"graft/onnx"
	"graft/onnx/limits"
	"graft/onnx/op"
	"graft/runtime"
	"graft/training"
	"graft/training/dataset"
)

const sectionEvidence = "Evidence"

// evidenceFlags say what the scores that run the model run it on.
func evidenceFlags() []cli.Flag {
	return slices.Concat([]cli.Flag{
		repeated("data", "PATH", "samples to run the model on, read as graft train reads them; repeatable").under(sectionEvidence),
		text("loss", "NAME|FILE", "loss whose gradient is taken, as graft artifacts takes it").under(sectionEvidence),
		text("output", "NAME", "the output that is looked at; the first without it").under(sectionEvidence),
		integer("samples", "N", 1, 1<<24, 128, "samples that are run, drawn from --seed: full batches of them").under(sectionEvidence),
		integer("batch", "N", 1, 1<<24, 0, "samples of a batch; 32 unless the model fixes it").under(sectionEvidence),
		choice("bn", "train", "BatchNormalization where a gradient is taken: statistics of the batch, or of the file", "train", "frozen").under(sectionEvidence),
		dimFlag().under(sectionEvidence),
	}, dataFlags())
}

// checkEvidenceFlags says what a method lacks, or what it has no use for.
func (c *call) checkEvidenceFlags(method string, needs masking.Need) error {
	data, loss := needs&masking.NeedData != 0, needs&masking.NeedLoss != 0
	switch noisy := needs&masking.NeedDeviation != 0; {
	case noisy && !c.IsSet("certificate"):
		return misuse("--method %s looks at the noise of a posterior: it needs --certificate FILE", method)
	case !noisy && c.IsSet("certificate"):
		return misuse("--certificate: --method %s has no use for it", method)
	}
	switch {
	case loss && (!c.IsSet("data") || !c.IsSet("loss")):
		return misuse("--method %s takes the gradient of a loss on samples: it needs --data FILE and --loss NAME, there are %s", method, strings.Join(lossNames(), ", "))
	case data && !c.IsSet("data"):
		return misuse("--method %s runs the model on samples: it needs --data FILE", method)
	}
	for _, f := range evidenceFlags() {
		name := f.Names()[0]
		if !c.IsSet(name) || c.Bool("recalibrate") && readsData(name) {
			continue
		}
		switch {
		case needs&^masking.NeedDeviation == 0:
			return misuse("--%s: --method %s looks at the weights alone", name, method)
		case (name == "loss" || name == "bn") && !loss:
			return misuse("--%s: --method %s takes no gradient of a loss", name, method)
		case name == "dim" && data:
			return misuse("--dim: --method %s runs the model on --data, whose sizes count", method)
		case name != "output" && name != "dim" && !data:
			return misuse("--%s: --method %s runs the model on ones, and needs no data", name, method)
		}
	}
	return nil
}

// readsData reports whether a flag says which samples are read, and how.
func readsData(flag string) bool {
	return flag == "data" || flag == "batch" || slices.ContainsFunc(dataFlags(), func(f cli.Flag) bool { return f.Names()[0] == flag })
}

// checkRecalibrate says what --recalibrate lacks.
func (c *call) checkRecalibrate() error {
	if c.Bool("recalibrate") && !c.IsSet("data") {
		return misuse("--recalibrate runs the model on samples: it needs --data FILE")
	}
	return nil
}

// evidence is what a score is given to see.
type evidence struct {
	look  masking.Look
	said  string // of what it was taken, in a few words
	close func()
}

// evidence opens what a score looks at.
func (c *call) evidence(m *onnx.Model, path string, p *pruneMethod) (*evidence, error) {
	rule := p.rule
	if rule.Needs == 0 {
		return &evidence{look: masking.Weights(masking.Parameters(m.Graph), c.Common.Seed), close: func() {}}, nil
	}
	if rule.Needs == masking.NeedDeviation {
		look, err := c.deviations(m)
		return &evidence{look: look, close: func() {}}, err
	}
	config := training.SaliencyConfig{Needs: rule.Needs, Output: c.Text("output"), FrozenNorms: c.Text("bn") == "frozen", Session: c.runtimeOptions()}
	var err error
	if rule.Needs&masking.NeedLoss != 0 {
		if config.Loss, err = c.loss(); err != nil {
			return nil, err
		}
	}
	e := &evidence{}
	if rule.Needs&masking.NeedData != 0 {
		config.Batches, e.said, err = c.evidenceBatches(m, path, config)
	} else {
		config.Batches, err = c.ones(m, path)
	}
	if err != nil {
		return nil, err
	}
	s, err := training.NewSaliency(m, config)
	if err != nil {
		return nil, noEvidence(path, err)
	}
	e.close = func() { s.Close() }
	e.look = c.told(s.Look(c.Context(), c.Common.Seed), p.name, rule)
	return e, nil
}

// noEvidence grades what keeps evidence from being taken.
func noEvidence(path string, err error) error {
	if graded := runtimeError(err, path); graded != err {
		return graded
	}
	return misnamed(path, err)
}

// told shows how far the rounds of a look are, and refuses evidence that says nothing.
func (c *call) told(look masking.Look, name string, rule masking.Rule) masking.Look {
	progress, rounds := c.Progress(), max(rule.Rounds, 1)
	progress.Stage(name, rounds)
	round := 0
	return func(kept *masking.Set) ([]masking.Evidence, error) {
		list, err := look(kept)
		round++
		progress.Step(round, "")
		if err != nil || kept != nil {
			return list, err
		}
		for _, k := range []struct {
			need masking.Need
			what string
			of   func(masking.Evidence) []float32
		}{
			{masking.NeedGradient, "the gradient of the loss", func(e masking.Evidence) []float32 { return e.Gradient }},
			{masking.NeedOutputGradient, "the gradient of the output", func(e masking.Evidence) []float32 { return e.OutputGradient }},
			{masking.NeedFlow, "the flow from ones at the input", func(e masking.Evidence) []float32 { return e.Flow }},
		} {
			some := func(e masking.Evidence) bool {
				return slices.ContainsFunc(k.of(e), func(x float32) bool { return x != 0 })
			}
			if rule.Needs&k.need != 0 && !slices.ContainsFunc(list, some) {
				return nil, limits.Refuse("", "%s: %s is zero at every weight: it tells none from another", name, k.what)
			}
		}
		return list, nil
	}
}

// evidenceBatches reads the samples that a score looks at.
func (c *call) evidenceBatches(m *onnx.Model, path string, config training.SaliencyConfig) ([]map[string]*onnx.Tensor, string, error) {
	wanted := int64(c.Int("samples"))
	b, contract, file, err := c.pruneData(m, path, config, wanted)
	if err != nil {
		return nil, "", err
	}
	var list []map[string]*onnx.Tensor
	for step := range max(1, min(wanted/b.Size(), b.PerEpoch())) {
		given, err := b.At(step + 1)
		if err != nil {
			return nil, "", refused(file, err)
		}
		batch := map[string]*onnx.Tensor{}
		for name, t := range given {
			batch[name] = t.Clone() // the memory is used again
		}
		list = append(list, batch)
	}
	if err := varied(contract.Inputs, list); err != nil {
		return nil, "", refused(file, limits.InFile(file, err))
	}
	return list, fmt.Sprintf(", on %s", counted(int(int64(len(list))*b.Size()), "sample")), nil
}

// pruneData reads the samples for the model's inputs, and the answers where there is a loss, in full batches of most samples at most.
func (c *call) pruneData(m *onnx.Model, path string, config training.SaliencyConfig, most int64) (*dataset.Batches, *training.Contract, string, error) {
	contract, err := config.Contract(m)
	if err != nil {
		return nil, nil, "", misnamed(path, err)
	}
	reader := &dataReader{c, contract}
	how, err := reader.readConfig()
	if err != nil {
		return nil, nil, "", err
	}
	set, err := reader.readSet(c.List("data"), how)
	if err != nil {
		return nil, nil, "", err
	}
	n := int64(c.Int("batch"))
	if set.fixed > 0 && n > 0 && n != set.fixed {
		return nil, nil, "", misuse("--batch %d: the model has its batch fixed at %d", n, set.fixed)
	}
	size := min(set.size(n), most)
	if set.fixed > 0 {
		size = set.fixed
	}
	for _, rows := range set.rows {
		size = min(size, max(rows.Len(), 1))
	}
	b, err := set.batches(dataset.BatchConfig{Size: size, Seed: c.Common.Seed})
	return b, contract, set.file, err
}

// varied refuses samples that are the same number everywhere: no weight can be told from another by them.
func varied(inputs []training.ContractPort, list []map[string]*onnx.Tensor) error {
	var first *float32
	for _, p := range inputs {
		for _, batch := range list {
			t := batch[p.Name]
			if t == nil || t.DType != onnx.Float {
				return nil
			}
			for _, x := range t.Float32s() {
				if first == nil {
					first = &x
				}
				if x != *first {
					return nil
				}
			}
		}
	}
	if first == nil {
		return nil
	}
	return limits.Refuse("samples", "are %g everywhere: data without variance tell no weight from another", *first)
}

// ones are inputs of the sizes that the model says, for what reads no data.
func (c *call) ones(m *onnx.Model, path string) ([]map[string]*onnx.Tensor, error) {
	dims, err := c.freeDims()
	if err != nil {
		return nil, err
	}
	inferred := m.Clone()
	op.InferModel(inferred)
	batch := map[string]*onnx.Tensor{}
	for _, name := range feedNames(inferred.Graph) {
		if batch[name], err = runtime.SampleValue(inferred.Graph.Lookup(name), c.Common.Seed, dims); err != nil {
			return nil, runtimeError(err, path)
		}
	}
	return []map[string]*onnx.Tensor{batch}, nil
}
