package cli

import (
	"errors"
	"os"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"graft/export"
	"graft/onnx/rewrite"
	"graft/training"
)

var artifactsVerb = verb{
	name: "artifacts", args: "FILE", short: "make the files that any ONNX Runtime can train a model with",
	long: `Writes a folder: training_model.onnx (forward, backward, sum of gradients), eval_model.onnx, optimizer_model.onnx,
fused_model.onnx (all in one call, what graft train runs), checkpoint/ (parameters and optimizer state as safetensors) and
contract.json, which lists every input and output. All of standard operators.

Losses: ` + strings.Join(lossNames(), ", ") + `, or a model whose one output is a float scalar and
whose inputs are named like the outputs that it reads, or "target" or "labels"; others become inputs of the training.
Optimizers: ` + strings.Join(optimizerNames(), ", ") + `.

FILE may also be a folder that ONNX Runtime's own training made, which ended with release 1.19, or its training_model.onnx
with --checkpoint: network, loss, optimizer and the state of the training are taken over.

--precision fp16 and bf16 are for devices that have kernels for them: ONNX Runtime's CPU computes fp16 in float32, and has none for bf16.

--provider NAME chooses forms of gradients that are the fastest there; the files run on every provider. --deterministic has them be sums in
an order that is always the same, for graft train --deterministic.

--accumulate N moves the parameters once in N batches, along the mean of their gradients. --ema D keeps a moving average of
the parameters beside them, which graft export --ema exports.`,
	examples: []string{
		"graft artifacts model.onnx --loss mse --optimizer adam --out artifacts/",
		"graft artifacts classifier.onnx --loss cross-entropy --optimizer adamw --train '^head' --out artifacts/",
		"graft artifacts model.onnx --loss focal.onnx --optimizer lion --weight-decay 0.1 --accumulate 4 --out artifacts/",
		"graft artifacts ort-artifacts/ --out artifacts/",
	},
	groups: readsModel | writes,
	flags: slices.Concat([]cli.Flag{
		text("loss", "NAME|FILE", "what is made small; cross-entropy wants logits and int64 labels"),
		text("optimizer", "NAME", "how parameters move"),
		text("checkpoint", "FILE", "checkpoint of ONNX Runtime's training to go on from"),
		text("output", "NAME", "the output that the loss reads; the first without it"),
		text("train", "REGEX", "train the parameters with matching names; all without it"),
		text("freeze", "REGEX", "leave the parameters with matching names as they are"),
		choice("bn", "train", "BatchNormalization: the statistics of the batch, or those of the file", "train", "frozen"),
		number("clip-norm", "X", above(0, 1e9), 0, "bound the length of the gradient over all parameters"),
		choice("precision", "fp32", "what products and what lies between them are computed in; parameters stay in float32. fp16 scales the loss by itself", "fp32", "fp16", "bf16"),
		integer("recompute", "N", 1, 1<<12, 1, "segments of the network that are computed anew for the gradient: less memory, more time"),
		toggle("deterministic", "with --provider cuda: gradients of tables as products, whose sums have one order"),
		toggle("dropout", "train with the model's dropout, its masks drawn from --seed; off without it"),
		toggle("straight-through", "train through QuantizeLinear as if it did not round"),
		toggle("free-batch", "let a model whose batch is written into it take any"),
		integer("accumulate", "N", 1, 1<<20, 1, "batches that make an update"),
		number("ema", "D", below(0, 1), 0, "keep a moving average of the parameters; D is the weight of the old average"),
		text("teacher", "FILE", "classifier to imitate beside the labels, of the same inputs and classes").under("Loss"),
		number("teacher-weight", "A", span{lo: 0, hi: 1, openLo: true}, 0.9, "part of the teacher in the loss").under("Loss"),
		number("temperature", "T", above(0, 1000), 4, "what the logits of both are divided by for it").under("Loss"),
	}, settingFlags(optimizerSettings(), "Optimizer"), settingFlags(lossSettings(), "Loss")),
	run: runArtifacts,
}

// madeArtifacts is the document of graft artifacts --json.
type madeArtifacts struct {
	Folder     string   `json:"folder"`
	Files      []string `json:"files"`
	Parameters int64    `json:"parameters"` // trained numbers
	Tensors    int      `json:"tensors"`    // trained tensors
	Frozen     int      `json:"frozen"`     // tensors left as they are
	Opset      int64    `json:"opset"`
	Notes      []string `json:"notes"`
}

func runArtifacts(c *call) error {
	if c.Out() == "" {
		return misuse("flag --out is missing: the folder that the artifacts go to")
	}
	source, err := c.artifactSource()
	if err != nil {
		return err
	}
	path, m := source.file, source.model
	if c.Bool("free-batch") {
		if err := rewrite.FreeBatch(m, "batch"); err != nil {
			return refused(path, err)
		}
	}
	config, err := c.artifactConfig(source)
	if err != nil {
		return err
	}
	defer debug.SetGCPercent(debug.SetGCPercent(200)) // nearly all of the graphs that are made stays until they are written
	a, err := training.NewArtifacts(m, config)
	if err != nil {
		return misnamed(path, err)
	}
	doc := madeArtifacts{Folder: c.Out(), Parameters: a.Fused.Packing.Len(), Tensors: len(a.Contract.Parameters),
		Frozen: len(a.Contract.Frozen), Opset: a.Training.Opset(""), Notes: a.Contract.Notes,
		Files: []string{training.TrainingFile, training.EvalFile, training.OptimizerFile, training.FusedFile, training.ContractFile, training.CheckpointDir}}
	c.JSON(doc)
	for _, note := range doc.Notes {
		c.Say("%s", note)
	}
	if c.Common.DryRun {
		c.Print("would write %s: %s parameters in %d tensors to train, opset %d", doc.Folder, grouped(doc.Parameters), doc.Tensors, doc.Opset)
		return nil
	}
	if err := c.writeArtifacts(a); err != nil {
		return err
	}
	c.Print("%s: %s parameters in %d tensors to train, opset %d", doc.Folder, grouped(doc.Parameters), doc.Tensors, doc.Opset)
	return nil
}

// misnamed adds the nearest name to an error about one that the model has not.
func misnamed(path string, err error) error {
	unknown, ok := errors.AsType[*training.UnknownNameError](err)
	if !ok {
		return refused(path, err)
	}
	hint := "graft inspect lists the names"
	if near := nearest(strings.Trim(unknown.Name, "^$"), unknown.Known); near != "" {
		hint = "did you mean " + quote(near) + "?"
	}
	return &Error{File: path, Err: err, Hint: hint, Code: exitInput}
}

// writeArtifacts makes the folder, with a manifest by which graft knows it.
func (c *call) writeArtifacts(a *training.Artifacts) error {
	dir, err := createFolder(c.Out(), c.Common.Force)
	if err != nil {
		return err
	}
	defer dir.Abort()
	if err := a.Write(dir.File("")); err != nil {
		return folderError(c.Out(), err)
	}
	manifest := export.NewManifest(readVersion().Version)
	manifest.Settings = map[string]any{"verb": "artifacts", "loss": a.Contract.Loss, "optimizer": a.Contract.Optimizer,
		"optimizer_settings": a.Contract.Settings}
	for _, m := range a.Contract.Models {
		info, err := os.Stat(dir.File(m.File))
		if err != nil {
			return folderError(c.Out(), err)
		}
		manifest.Files[m.File] = export.FileInfo{Bytes: info.Size(), SHA256: m.SHA256}
	}
	contract, err := os.ReadFile(dir.File(training.ContractFile))
	if err != nil {
		return folderError(c.Out(), err)
	}
	manifest.Add(training.ContractFile, contract)
	if err := writeManifest(dir, manifest); err != nil {
		return folderError(c.Out(), err)
	}
	if err := dir.Commit(); err != nil {
		return folderError(c.Out(), err)
	}
	return nil
}
