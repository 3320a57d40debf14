package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"graft/masking"
	"graft/onnx"
	"graft/onnx/inspect"
	"graft/training/oes"
)

var pruneVerb = verb{
	name: "prune", args: "FILE", short: "zero the weights of a model that matter least, or those that a mask removes",
	long: `The graph keeps its shape; pruned weights become zero. S is the fraction removed: of all weights under one threshold, of
each tensor with --scope layer, or of what makes each output of a product with --scope row, where biases and norms stay whole.
Norm statistics and other settings are left alone but for --recalibrate. A layer that is left dead is named: one of which no weight is kept, or
through which no path leads from the inputs to the outputs. Methods of channels remove them with all that makes and reads
them, and keep a multiple of --multiple; graft export --compact makes the model smaller by them.

Methods:

` + methodLines() + `

A mask file is safetensors with a bool tensor for each weight's name; dead channels are what compaction would remove.`,
	examples: []string{
		"graft prune model.onnx --method magnitude --sparsity 0.9 --out pruned.onnx",
		"graft prune model.onnx --method random --sparsity 0.5 --scope layer --save-mask mask.safetensors --out pruned.onnx",
		"graft prune classifier.onnx --method snip --sparsity 0.9 --data digits.npz --loss cross-entropy --out pruned.onnx",
		"graft prune classifier.onnx --method synflow --sparsity 0.98 --out pruned.onnx",
		"graft prune classifier.onnx --method wanda --pattern 2:4 --data digits.npz --out pruned.onnx",
		"graft prune classifier.onnx --method l1-norm --sparsity 0.5 --multiple 8 --out narrow.onnx",
		"graft prune trained/model.onnx --method pac-noise --certificate trained/model.certificate.safetensors --sparsity 0.8 --out pruned.onnx",
		"graft prune resnet.onnx --method l1-norm --sparsity 0.5 --recalibrate --data train/ --out narrow.onnx",
		"graft prune model.onnx --mask mask.safetensors --out pruned.onnx",
	},
	groups: readsModel | runsModel | writes | writesModel,
	flags: slices.Concat([]cli.Flag{
		choice("method", "", "how weights are ranked", pruneMethods()...),
		number("sparsity", "S", below(0, 1), 0, "fraction of the weights to remove"),
		choice("scope", "", "what shares a threshold: everything, each tensor, or what makes one output; global without it, row for wanda, layer for channels", masking.Scopes...),
		integer("multiple", "N", 1, 1<<16, 8, "methods that remove channels: keep a multiple of N in each layer; 1: as many as S says"),
		text("pattern", "N:M", "keep N of every M consecutive inputs of each output, in convolutions and products, and the rest whole"),
		choice("compat", "", "the method as the authors of Optimal Eye Surgeon have it in their code", compatOES),
		toggle("recalibrate", "estimate the running statistics of BatchNormalization anew on --data, for the weights that are left"),
		text("mask", "FILE", "mask to apply instead of a method"),
		text("certificate", "FILE", "what graft train --method pac-bayes has written beside the model: the noise of each weight"),
		text("save-mask", "FILE", "write the mask as safetensors"),
	}, evidenceFlags(), learnFlags()),
	run: runPrune,
}

// methodLines lists the methods, with what they need beside the model.
func methodLines() string {
	var lines []string
	line := func(name, doc string, needs masking.Need) {
		switch {
		case needs&masking.NeedLoss != 0:
			doc += " (--data, --loss)"
		case needs&masking.NeedData != 0:
			doc += " (--data)"
		}
		lines = append(lines, fmt.Sprintf("  %-15s %s", name, doc))
	}
	for _, s := range masking.Scores {
		line(s.Name, s.Doc, s.Needs)
	}
	for _, s := range masking.ChannelScores {
		line(s.Name, s.Doc, s.Needs)
	}
	for _, m := range learnedMethods {
		line(m.name, m.doc, masking.NeedLoss)
	}
	return strings.Join(lines, "\n")
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
	var groups []*masking.Group
	if p, err := c.pruneMethod(); err == nil && p.whole() && p.gate != oes.Kernel {
		groups = groupsOf(m)
	}
	before := flowOf(m)
	if err := masking.Apply(m.Graph, set); err != nil {
		return refused(path, err)
	}
	if c.Bool("recalibrate") {
		if err := c.recalibrate(m, path); err != nil {
			return err
		}
		how += ", norms estimated anew"
	}
	m.Metadata.Set("graft.pruned", how)
	doc := describePruning(set)
	doc.Channels = keptChannels(groups, set)
	doc.DeadLayers = c.tellDead(before, flowOf(m))
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
