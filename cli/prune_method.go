package cli

import (
	"cmp"
	"fmt"
	"slices"

	"graft/masking"
	"graft/onnx"
)

// checkPruneFlags refuses what goes wrong whatever the files are.
func (c *call) checkPruneFlags() error {
	method := c.Text("method")
	switch {
	case c.Text("mask") != "":
		for _, f := range c.verb.flags {
			if name := f.Names()[0]; name != "mask" && name != "save-mask" && c.IsSet(name) {
				return misuse("--mask and --%s exclude each other", name)
			}
		}
		return nil
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
	if p.channels != nil {
		for _, f := range []string{"pattern", "compat"} {
			if c.IsSet(f) {
				return misuse("--%s: --method %s removes channels whole", f, method)
			}
		}
		if p.scope == masking.Row {
			return misuse("--scope row: --method %s compares channels, with each other or in the whole network", method)
		}
	} else if c.IsSet("multiple") {
		return misuse("--multiple: --method %s removes single weights", method)
	}
	if p.oes && method == "wanda" {
		return misuse("--compat oes: the authors of Optimal Eye Surgeon have no wanda")
	}
	return c.checkEvidenceFlags(method, p.rule.Needs)
}

// compatOES is the value of --compat that gives the variants in the code of the authors of Optimal Eye Surgeon.
const compatOES = "oes"

// pruneMethods are the names of the methods that remove weights, and of those that remove channels.
func pruneMethods() []string { return slices.Concat(masking.ScoreNames(), masking.ChannelScoreNames()) }

// pruneMethod is a method as the line has it: one of weights, or one of channels.
type pruneMethod struct {
	name     string
	rule     masking.Rule // what it looks at, and how often
	scope    masking.Scope
	oes      bool // as the authors have it
	weights  masking.Score
	channels *masking.ChannelScore // nil: weights are removed
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
