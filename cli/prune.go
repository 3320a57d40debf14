package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"graft/masking"
	"graft/onnx"
	"graft/onnx/inspect"
	"graft/onnx/op"
)

var pruneVerb = verb{
	name: "prune", args: "FILE", short: "zero the weights of a model that matter least, or those that a mask removes",
	long: "The graph keeps its shape; pruned weights become zero. S is the fraction removed: of all weights under one threshold,\n" +
		"or of each tensor with --scope layer. Norm statistics and other settings are left alone.\n" +
		"A mask file is safetensors with a bool tensor for each weight's name; dead channels are what compaction would remove.",
	examples: []string{
		"graft prune model.onnx --method magnitude --sparsity 0.9 --out pruned.onnx",
		"graft prune model.onnx --method random --sparsity 0.5 --scope layer --save-mask mask.safetensors --out pruned.onnx",
		"graft prune model.onnx --mask mask.safetensors --out pruned.onnx",
	},
	groups: readsModel | writes | writesModel,
	flags: []cli.Flag{
		choice("method", "", "how weights are ranked", weightScores()...),
		number("sparsity", "S", below(0, 1), 0, "fraction of the weights to remove"),
		choice("scope", string(masking.Global), "what shares a threshold", masking.Scopes...),
		text("mask", "FILE", "mask to apply instead of a method"),
		text("save-mask", "FILE", "write the mask as safetensors"),
	},
	run: runPrune,
}

// weightScores are the methods that look at the weights alone.
func weightScores() (names []string) {
	for _, s := range masking.Scores {
		if s.Needs == 0 {
			names = append(names, s.Name)
		}
	}
	return names
}

// pruned is the document of graft prune --json. DeadChannels are output channels of convolutions that compaction would
// remove; the field is absent where the graph cannot be compacted.
type pruned struct {
	ParamsTotal  int64         `json:"params_total"`
	ParamsKept   int64         `json:"params_kept"`
	Sparsity     float64       `json:"sparsity"`
	Layers       []prunedLayer `json:"layers"`
	DeadChannels *int64        `json:"dead_channels,omitempty"`
	Compact      *int64        `json:"params_compact,omitempty"` // what compaction would leave
	File         string        `json:"file"`
	Bytes        int64         `json:"bytes"`
	Mask         string        `json:"mask,omitempty"`
	*savedModel
}

type prunedLayer struct {
	Name  string `json:"name"`
	Total int64  `json:"total"`
	Kept  int64  `json:"kept"`
}

func runPrune(c *call) error {
	if err := c.checkPruneFlags(); err != nil {
		return err
	}
	out, maskOut, err := c.pruneOutputs()
	if err != nil {
		return err
	}
	path := c.Arg(0)
	m, err := c.loadModel(path)
	if err != nil {
		return err
	}
	set, how, err := c.chooseMask(m, path)
	if err != nil {
		return err
	}
	if err := masking.Apply(m.Graph, set); err != nil {
		return refused(path, err)
	}
	m.Metadata.Set("graft.pruned", how)
	doc := describePruning(set)
	if n := inspect.Describe(m.Clone()).Constants; n > 0 {
		c.Say("%s more parameters are constant nodes of the graph, not initializers: they stay as they are", grouped(n))
	}
	doc.DeadChannels, doc.Compact, err = deadChannels(m)
	if err != nil {
		c.Detail("dead channels are not counted: %s", err.Error())
	}
	if doc.savedModel, err = c.writePruned(m, set, how, maskOut, out); err != nil {
		return err
	}
	doc.File, doc.Bytes, doc.Mask = out, doc.bytes, maskOut
	c.JSON(doc)
	c.printPruning(doc)
	return nil
}

func (c *call) checkPruneFlags() error {
	if c.Text("mask") == "" {
		switch {
		case c.Text("method") == "":
			return misuse("one of --method and --mask is missing")
		case !c.IsSet("sparsity"):
			return misuse("flag --sparsity is missing: --method %s wants to know how much to remove", c.Text("method"))
		}
		return nil
	}
	for _, f := range []string{"method", "sparsity", "scope"} {
		if c.IsSet(f) {
			return misuse("--mask and --%s exclude each other", f)
		}
	}
	return nil
}

// pruneOutputs are the files to be written, which must be free; mask is "" when none is wanted.
func (c *call) pruneOutputs() (model, mask string, err error) {
	if model, err = c.OutFile(); err != nil {
		return "", "", err
	}
	mask = c.Text("save-mask")
	if mask == "" {
		return model, "", nil
	}
	if filepath.Clean(mask) == filepath.Clean(model) {
		return "", "", misuse("--out and --save-mask name the same file")
	}
	return model, mask, mayWrite(mask, c.Common.Force)
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
	scope := masking.Scope(c.Text("scope"))
	set, err := masking.Choose(masking.Weights(parameters, c.Common.Seed), score, masking.Choice{Sparsity: c.Float("sparsity"), Scope: scope, Seed: c.Common.Seed})
	if err != nil {
		return nil, "", refused(path, err)
	}
	return set, fmt.Sprintf("by %s, sparsity %g, %s, seed %d", score.Name, c.Float("sparsity"), scope, c.Common.Seed), nil
}

func describePruning(set *masking.Set) pruned {
	doc := pruned{ParamsTotal: set.Total(), ParamsKept: set.Kept(), Layers: []prunedLayer{}}
	if doc.ParamsTotal > 0 {
		doc.Sparsity = 1 - float64(doc.ParamsKept)/float64(doc.ParamsTotal)
	}
	for _, mask := range set.Masks() {
		doc.Layers = append(doc.Layers, prunedLayer{mask.Name, int64(len(mask.Keep)), mask.Kept()})
	}
	return doc
}

// deadChannels compacts a copy of m and counts the output channels of convolutions that went, and the parameters left.
func deadChannels(m *onnx.Model) (channels, left *int64, err error) {
	copied := m.Clone()
	op.InferModel(copied)
	before := convChannels(copied.Graph)
	done, err := masking.Compact(copied.Graph)
	if err != nil {
		return nil, nil, err
	}
	dead := before - convChannels(copied.Graph)
	return &dead, &done.After, nil
}

// convChannels sums the output channels of the convolutions of g.
func convChannels(g *onnx.Graph) (n int64) {
	for _, node := range g.Nodes() {
		if w := node.Input(1); node.Is("Conv") && w != nil && w.Const != nil && len(w.Const.Dims) > 0 {
			n += w.Const.Dims[0]
		}
	}
	return n
}

// writePruned writes the mask, when one is wanted, and the model; a mask whose model could not be written goes again.
func (c *call) writePruned(m *onnx.Model, set *masking.Set, how, mask, model string) (*savedModel, error) {
	if mask == "" {
		return c.saveModel(m, model, false, nil)
	}
	_, err := os.Lstat(mask)
	fresh, wrote := os.IsNotExist(err), false
	saved, err := c.saveModel(m, model, false, func() error {
		if err := set.WriteFile(mask, map[string]string{"producer": "graft", "pruned": how}); err != nil {
			return &Error{File: mask, Err: err, Code: exitEnvironment}
		}
		wrote = true
		return nil
	})
	if err != nil && fresh && wrote {
		os.Remove(mask)
	}
	return saved, err
}

func (c *call) printPruning(doc pruned) {
	t := table{Head: []string{"weights", "total", "kept", ""}}
	for _, l := range doc.Layers {
		t.Add(l.Name, l.Total, l.Kept, bar(l.Kept, l.Total))
	}
	c.Table(t)
	c.Print("")
	c.Print("%s of %s weights kept, sparsity %s", grouped(doc.ParamsKept), grouped(doc.ParamsTotal), percent(doc.Sparsity))
	if doc.DeadChannels != nil && *doc.DeadChannels > 0 {
		c.Print("%s: compaction would leave %s parameters", counted(int(*doc.DeadChannels), "dead channel"), grouped(*doc.Compact))
	}
	files := doc.File + " (" + size(doc.Bytes) + ")"
	if doc.Mask != "" {
		files += " and " + doc.Mask
	}
	if c.Common.DryRun {
		files = "would write " + files
	}
	c.Print("%s", files)
}

// bar draws a fraction in ten cells.
func bar(part, whole int64) string {
	const cells = 10
	n := 0
	if whole > 0 {
		n = int((part*cells + whole - 1) / whole)
	}
	return strings.Repeat("#", n) + strings.Repeat(".", cells-n)
}
