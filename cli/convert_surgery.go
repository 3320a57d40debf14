package cli

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"graft/onnx"
	"graft/onnx/limits"
	"graft/onnx/rewrite"
)

const sectionSurgery = "Inputs, outputs and parts"

// surgeryFlags put models together, cut a part out and change what it is called by.
var surgeryFlags = []cli.Flag{
	repeated("chain", "OUT:IN", "feed input IN of a later file with output OUT of an earlier one; repeatable").under(sectionSurgery),
	repeated("share-input", "NAME", "the files' inputs of that name become one; repeatable").under(sectionSurgery),
	list("extract-from", "NAME,…", "values that become the inputs (default: the model's)").under(sectionSurgery),
	list("extract-to", "NAME,…", "values that become the outputs: the part that computes them is kept").under(sectionSurgery),
	repeated("drop-output", "NAME", "take an output away, and what only it needs; repeatable").under(sectionSurgery),
	repeated("rename-input", "OLD=NEW", "call an input otherwise; repeatable").under(sectionSurgery),
	repeated("rename-output", "OLD=NEW", "call an output otherwise; repeatable").under(sectionSurgery),
}

// wantsModel refuses flags of graft convert that need a network where there is none.
func (c *call) wantsModel(path string) error {
	for _, f := range c.verb.flags {
		if name := f.Names()[0]; c.IsSet(name) {
			return misuse("--%s wants a network, %s holds weights alone", name, quote(path))
		}
	}
	return nil
}

// joinModels makes the first content that of all files.
func (c *call) joinModels(paths []string, list []*content) error {
	if len(list) == 1 {
		for _, name := range []string{"chain", "share-input"} {
			if c.IsSet(name) {
				return misuse("--%s wants several files", name)
			}
		}
		return nil
	}
	parts := make([]rewrite.Part, len(list))
	seen := map[string]bool{}
	for i, w := range list {
		stem := strings.TrimSuffix(filepath.Base(paths[i]), filepath.Ext(paths[i]))
		for name := stem; ; name += "_" {
			if !seen[name] {
				parts[i], seen[name] = rewrite.Part{Name: name, Model: w.model}, true
				break
			}
		}
	}
	links, err := c.links(parts)
	if err != nil {
		return err
	}
	renamed, err := rewrite.Merge(parts, links, c.List("share-input"))
	if err != nil {
		return refused(paths[0], err)
	}
	if renamed > 0 {
		c.Say("%d values that had names of others are called after their file", renamed)
	}
	return nil
}

// links reads --chain. Names may contain colons: what stands on either side of one must be an output and an input.
func (c *call) links(parts []rewrite.Part) ([]rewrite.Link, error) {
	var links []rewrite.Link
	for _, spec := range c.List("chain") {
		var found []rewrite.Link
		var outputs, inputs []string
		for from := range parts {
			for _, o := range parts[from].Model.Graph.Outputs() {
				outputs = append(outputs, o.Name)
				rest, ok := strings.CutPrefix(spec, o.Name+":")
				for to := from + 1; ok && to < len(parts); to++ {
					if slices.ContainsFunc(parts[to].Model.Graph.Inputs(), func(v *onnx.Value) bool { return v.Name == rest }) {
						found = append(found, rewrite.Link{From: from, Output: o.Name, To: to, Input: rest})
					}
				}
			}
			if from > 0 {
				inputs = append(inputs, inputNames(parts[from].Model.Graph)...)
			}
		}
		switch {
		case len(found) == 1:
			links = append(links, found[0])
		case len(found) > 1:
			return nil, misuse("--chain %s: several outputs and inputs are called so: rename some first", quote(spec))
		case !strings.Contains(spec, ":"):
			return nil, misuse("--chain %s: wants OUT:IN", quote(spec))
		default:
			out, in, _ := strings.Cut(spec, ":")
			hint := didYouMean(nearest(out, outputs))
			if slices.Contains(outputs, out) {
				hint = didYouMean(nearest(in, inputs))
			}
			return nil, misuse("--chain %s: no file has that output and a later one that input: outputs are %s, inputs of later files %s%s",
				quote(spec), limits.Names(outputs, 8), limits.Names(inputs, 8), hint)
		}
	}
	return links, nil
}

func inputNames(g *onnx.Graph) []string { return namesOf(g.Inputs()) }

func namesOf(values []*onnx.Value) []string {
	names := make([]string, len(values))
	for i, v := range values {
		names[i] = v.Name
	}
	return names
}

// operate does to the model of a file what the flags for its inputs and outputs say.
func (c *call) operate(m *onnx.Model, path string) error {
	if from, to := c.List("extract-from"), c.List("extract-to"); len(from)+len(to) > 0 {
		if err := c.knownValues(m.Graph, slices.Concat(from, to)); err != nil {
			return err
		}
		if err := rewrite.Extract(m, from, to); err != nil {
			return refused(path, err)
		}
	}
	if drop := c.List("drop-output"); len(drop) > 0 {
		for _, n := range drop {
			if names := namesOf(m.Graph.Outputs()); !slices.Contains(names, n) {
				return misuse("--drop-output %s: the model has no such output: there are %s%s", quote(n), limits.Names(names, 8), didYouMean(nearest(n, names)))
			}
		}
		if err := rewrite.DropOutputs(m, drop...); err != nil {
			return refused(path, err)
		}
	}
	inputs, err := renames("rename-input", c.List("rename-input"), inputNames(m.Graph))
	if err != nil {
		return err
	}
	outputs, err := renames("rename-output", c.List("rename-output"), namesOf(m.Graph.Outputs()))
	if err != nil {
		return err
	}
	if len(inputs)+len(outputs) == 0 {
		return nil
	}
	if err := rewrite.RenameEnds(m, inputs, outputs); err != nil {
		return refused(path, err)
	}
	return nil
}

// knownValues refuses names that no value of the graph has.
func (c *call) knownValues(g *onnx.Graph, list []string) error {
	var known []string
	for _, n := range g.Nodes() {
		for _, o := range n.Outputs() {
			if o != nil {
				known = append(known, o.Name)
			}
		}
	}
	known = slices.Concat(inputNames(g), namesOf(g.Initializers()), known)
	for _, n := range list {
		if !slices.Contains(known, n) {
			return misuse("--extract-from, --extract-to: the model has no value %s%s", quote(n), didYouMean(nearest(n, known)))
		}
	}
	return nil
}

// renames reads OLD=NEW; either may contain "=", so that the longest OLD that there is counts.
func renames(flag string, specs, names []string) (map[string]string, error) {
	by := map[string]string{}
	for _, spec := range specs {
		old, to := "", ""
		for _, n := range names {
			if rest, ok := strings.CutPrefix(spec, n+"="); ok && n != "" && len(n) >= len(old) {
				old, to = n, rest
			}
		}
		given, _, ok := strings.Cut(spec, "=")
		switch {
		case !ok:
			return nil, misuse("--%s %s: wants OLD=NEW", flag, quote(spec))
		case old == "":
			return nil, misuse("--%s %s: the model has no %s: there are %s%s", flag, quote(spec), quote(given), limits.Names(names, 8), didYouMean(nearest(given, names)))
		case to == "":
			return nil, misuse("--%s %s: the new name is empty", flag, quote(spec))
		case by[old] != "":
			return nil, misuse("--%s: %s is renamed twice", flag, quote(old))
		}
		by[old] = to
	}
	return by, nil
}
