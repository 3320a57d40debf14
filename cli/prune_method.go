package cli

import (
	"cmp"
	"fmt"
	"slices"

	"graft/masking"
	"graft/onnx"
	"graft/training/oes"
)

// checkPruneFlags refuses what goes wrong whatever the files are.
func (c *call) checkPruneFlags() error {
	method := c.Text("method")
	switch {
	case c.Text("mask") != "":
		for _, f := range c.verb.flags {
			if name := f.Names()[0]; name != "mask" && name != "save-mask" && c.IsSet(name) && !(c.Bool("recalibrate") && (name == "recalibrate" || readsData(name))) {
				return misuse("--mask and --%s exclude each other", name)
			}
		}
		return c.checkRecalibrate()
	case method == "":
		return misuse("one of --method and --mask is missing")
	case c.IsSet("pattern"):
		for _, f := range []string{"sparsity", "scope"} {
			if c.IsSet(f) {
				return misuse("--pattern and --%s exclude each other: a pattern says how much is removed of what", f)
			}
		}
	case !c.IsSet("sparsity"):
		return misuse("flag --sparsity is missing: --method %s wants to know how much to remove", method)
	}
	p, err := c.pruneMethod()
	if err != nil {
		return err
	}
	for _, f := range c.verb.flags {
		if name := f.Names()[0]; c.IsSet(name) && !(c.Bool("recalibrate") && readsData(name)) {
			if reason := p.noUse(name); reason != "" {
				return misuse("--%s: --method %s %s", name, method, reason)
			}
		}
	}
	if p.oes && method == "wanda" {
		return misuse("--compat oes: the authors of Optimal Eye Surgeon have no wanda")
	}
	if err := c.checkRecalibrate(); err != nil {
		return err
	}
	return c.checkEvidenceFlags(method, p.rule.Needs)
}

// compatOES is the value of --compat that gives the variants in the code of the authors of Optimal Eye Surgeon.
const compatOES = "oes"

// learnedMethods learn a mask by what its Bernoulli numbers decide about.
var learnedMethods = []struct {
	name, doc string
	gate      oes.Gate
}{
	{"oes", "learn which weights to keep, as Optimal Eye Surgeon does", oes.Weight},
	{"oes-kernel", "the same with one number for each kernel of a convolution", oes.Kernel},
	{"oes-channel", "the same with one number for each channel", oes.Channel},
}

// pruneMethods are the names of the methods that remove weights, of those that remove channels, and of those that learn a mask.
func pruneMethods() []string {
	names := slices.Concat(masking.ScoreNames(), masking.ChannelScoreNames())
	for _, m := range learnedMethods {
		names = append(names, m.name)
	}
	return names
}

// pruneMethod is a method as the line has it: one of weights, or one of channels.
type pruneMethod struct {
	name     string
	rule     masking.Rule // what it looks at, and how often
	scope    masking.Scope
	oes      bool // as the authors have it
	weights  masking.Score
	channels *masking.ChannelScore // nil: weights are removed, or a mask is learned
	gate     oes.Gate              // of a mask that is learned; empty: none is
}

// noUse says why a flag is not for the method, as it goes on behind its name; empty: it is.
func (p *pruneMethod) noUse(flag string) string {
	switch flag {
	case "pattern", "compat":
		if p.whole() {
			return "removes channels and kernels whole"
		}
		if p.gate != "" {
			return "keeps what it has learned to"
		}
	case "scope":
		if p.whole() && p.scope == masking.Row {
			return "compares channels or kernels, with each other or in the whole network"
		}
		if p.gate == oes.Weight && p.scope != masking.Global {
			return "compares all weights by what it has learned"
		}
	case "multiple":
		if p.channels == nil && p.gate != oes.Channel {
			return "removes no channels"
		}
	case "mask-steps", "mask-rate", "strength":
		if p.gate == "" {
			return "learns no mask"
		}
	case "samples":
		if p.gate != "" {
			return "learns on all of --data"
		}
	}
	return ""
}

// whole reports whether channels or kernels are removed whole.
func (p *pruneMethod) whole() bool {
	return p.channels != nil || p.gate == oes.Channel || p.gate == oes.Kernel
}

// pruneMethod finds the method of the line. Without --scope it compares what is usual for it: channels with those of their own
// group.
func (c *call) pruneMethod() (*pruneMethod, error) {
	p := &pruneMethod{name: c.Text("method"), scope: masking.Scope(c.Text("scope")), oes: c.Text("compat") == compatOES}
	if s, err := masking.FindChannelScore(p.name); err == nil {
		p.channels, p.rule = &s, masking.Rule{Needs: s.Needs}
		p.scope = cmp.Or(p.scope, masking.Layer)
		return p, nil
	}
	for _, m := range learnedMethods {
		if m.name == p.name {
			p.gate, p.rule = m.gate, masking.Rule{Needs: masking.NeedGradient}
			p.scope = cmp.Or(p.scope, masking.Global)
			if m.gate == oes.Channel {
				p.scope = cmp.Or(masking.Scope(c.Text("scope")), masking.Layer)
			}
			return p, nil
		}
	}
	var err error
	if p.weights, err = masking.FindScore(p.name); err != nil {
		return nil, misuse("%v", err)
	}
	p.scope = cmp.Or(p.scope, p.weights.Scope, masking.Global)
	p.rule = p.weights.For(masking.Choice{OES: p.oes, Scope: p.scope})
	return p, nil
}

// chooseMask is the mask that the command line asks for, and how it was made, in a few words.
func (c *call) chooseMask(m *onnx.Model, path string) (*masking.Set, string, error) {
	if file := c.Text("mask"); file != "" {
		set, err := loadMask(file, m.Graph)
		return set, "by a mask", err
	}
	p, err := c.pruneMethod()
	if err != nil {
		return nil, "", err
	}
	parameters := masking.Parameters(m.Graph)
	if len(parameters) == 0 {
		return nil, "", refused(path, fmt.Errorf("the model has no weights to prune: no float initializer is read as one"))
	}
	choice := masking.Choice{Sparsity: c.Float("sparsity"), Scope: p.scope, Seed: c.Common.Seed, OES: p.oes}
	how := fmt.Sprintf("by %s, sparsity %g, %s", p.name, choice.Sparsity, choice.Scope)
	if text := c.Text("pattern"); text != "" {
		if choice.Pattern, err = masking.ParsePattern(text); err != nil {
			return nil, "", misuse("--pattern %s: %v", quote(text), err)
		}
		if !slices.ContainsFunc(parameters, func(v *onnx.Value) bool { return masking.WeightEvidence(v, 0).Input >= 0 }) {
			return nil, "", refused(path, fmt.Errorf("the model has no weight that a pattern is for: those of convolutions and products of matrices"))
		}
		how = fmt.Sprintf("by %s, %v", p.name, choice.Pattern)
	}
	if choice.OES {
		how += ", as the authors of OES have it"
	}
	if p.gate != "" {
		return c.learnedMask(m, path, p, how)
	}
	evidence, err := c.evidence(m, path, p)
	if err != nil {
		return nil, "", err
	}
	defer evidence.close()
	var set *masking.Set
	if p.channels != nil {
		set, err = masking.ChooseChannels(groupsOf(m), evidence.look, *p.channels,
			masking.ChannelChoice{Sparsity: choice.Sparsity, Scope: p.scope, Multiple: c.Int("multiple"), Seed: c.Common.Seed})
	} else {
		set, err = masking.Choose(evidence.look, p.weights, choice)
	}
	if err != nil {
		return nil, "", noEvidence(path, err)
	}
	return set, fmt.Sprintf("%s, seed %d%s", how, c.Common.Seed, evidence.said), nil
}
