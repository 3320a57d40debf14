package cli

import (
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
	score, err := masking.FindScore(method)
	if err != nil {
		return misuse("%v", err)
	}
	if c.oes() && score.Name == "wanda" {
		return misuse("--compat oes: the authors of Optimal Eye Surgeon have no wanda")
	}
	return c.checkEvidenceFlags(score.Name, score.For(masking.Choice{OES: c.oes(), Scope: c.pruneScope(score)}))
}

// oes reports whether the authors' variants are asked for.
func (c *call) oes() bool { return c.Text("compat") == compatOES }

// compatOES is the value of --compat that gives the variants in the code of the authors of Optimal Eye Surgeon.
const compatOES = "oes"

// pruneScope is what shares a threshold: what the line says, or what is usual for the score.
func (c *call) pruneScope(s masking.Score) masking.Scope {
	switch {
	case c.Text("scope") != "":
		return masking.Scope(c.Text("scope"))
	case s.Scope != "":
		return s.Scope
	}
	return masking.Global
}

// chooseMask is the mask that the command line asks for, and how it was made, in a few words.
func (c *call) chooseMask(m *onnx.Model, path string) (*masking.Set, string, error) {
	if file := c.Text("mask"); file != "" {
		set, err := loadMask(file, m.Graph)
		return set, "by a mask", err
	}
	score, err := masking.FindScore(c.Text("method"))
	if err != nil {
		return nil, "", misuse("%v", err)
	}
	parameters := masking.Parameters(m.Graph)
	if len(parameters) == 0 {
		return nil, "", refused(path, fmt.Errorf("the model has no weights to prune: no float initializer is read as one"))
	}
	choice := masking.Choice{Sparsity: c.Float("sparsity"), Scope: c.pruneScope(score), Seed: c.Common.Seed, OES: c.oes()}
	how := fmt.Sprintf("by %s, sparsity %g, %s", score.Name, choice.Sparsity, choice.Scope)
	if text := c.Text("pattern"); text != "" {
		if choice.Pattern, err = masking.ParsePattern(text); err != nil {
			return nil, "", misuse("--pattern %s: %v", quote(text), err)
		}
		if !slices.ContainsFunc(parameters, func(v *onnx.Value) bool { return masking.WeightEvidence(v, 0).Input >= 0 }) {
			return nil, "", refused(path, fmt.Errorf("the model has no weight that a pattern is for: those of convolutions and products of matrices"))
		}
		how = fmt.Sprintf("by %s, %v", score.Name, choice.Pattern)
	}
	if choice.OES {
		how += ", as the authors of OES have it"
	}
	evidence, err := c.evidence(m, path, score, choice)
	if err != nil {
		return nil, "", err
	}
	defer evidence.close()
	set, err := masking.Choose(evidence.look, score, choice)
	if err != nil {
		return nil, "", noEvidence(path, err)
	}
	return set, fmt.Sprintf("%s, seed %d%s", how, c.Common.Seed, evidence.said), nil
}
