package cli

import (
	"os"
	"regexp"
	"strings"

	"github.com/urfave/cli/v2"

	"graft/export"
	"graft/training"
	"graft/training/loss"
	"graft/training/optim"
)

var artifactsVerb = verb{
	name: "artifacts", args: "FILE", short: "make the files that any ONNX Runtime can train a model with",
	long: `Writes a folder: training_model.onnx (forward, backward, sum of gradients), eval_model.onnx, optimizer_model.onnx,
fused_model.onnx (all in one call, what graft train runs), checkpoint/ (parameters and optimizer state as safetensors) and
contract.json, which lists every input and output. All of standard operators.

Losses: ` + strings.Join(lossNames(), ", ") + `. Optimizers: ` + strings.Join(optimizerNames(), ", ") + `.`,
	examples: []string{
		"graft artifacts model.onnx --loss mse --optimizer adam --out artifacts/",
		"graft artifacts classifier.onnx --loss cross-entropy --optimizer adamw --train '^head' --out artifacts/",
	},
	groups: readsModel | writes,
	flags: []cli.Flag{
		text("loss", "NAME", "what is made small; cross-entropy wants logits and int64 labels"),
		text("optimizer", "NAME", "how parameters move"),
		text("output", "NAME", "the output that the loss reads; the first without it"),
		text("train", "REGEX", "train the parameters with matching names; all without it"),
		text("freeze", "REGEX", "leave the parameters with matching names as they are"),
		choice("bn", "train", "BatchNormalization: the statistics of the batch, or those of the file", "train", "frozen"),
		number("clip-norm", "X", above(0, 1e9), 0, "bound the length of the gradient over all parameters"),
	},
	run: runArtifacts,
}

func lossNames() []string {
	var names []string
	for _, l := range loss.Catalog {
		names = append(names, l.Loss.Name)
	}
	return names
}

func optimizerNames() []string {
	var names []string
	for _, o := range optim.Catalog {
		names = append(names, o.Name)
	}
	return names
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
	config, err := c.artifactConfig()
	if err != nil {
		return err
	}
	if c.Out() == "" {
		return misuse("flag --out is missing: the folder that the artifacts go to")
	}
	path := c.Arg(0)
	m, err := c.loadModel(path)
	if err != nil {
		return err
	}
	a, err := training.NewArtifacts(m, config)
	if err != nil {
		return refused(path, err)
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

// artifactConfig reads the flags.
func (c *call) artifactConfig() (training.ArtifactConfig, error) {
	config := training.ArtifactConfig{Output: c.Text("output"), FrozenNorms: c.Text("bn") == "frozen", ClipNorm: c.Float("clip-norm")}
	for _, flag := range []struct{ name, values string }{{"loss", strings.Join(lossNames(), ", ")}, {"optimizer", strings.Join(optimizerNames(), ", ")}} {
		if c.Text(flag.name) == "" {
			return config, misuse("flag --%s is missing: there are %s", flag.name, flag.values)
		}
	}
	var err error
	if config.Loss, err = loss.Lookup(c.Text("loss")); err != nil {
		return config, misuse("%v%s", err, didYouMean(nearest(c.Text("loss"), lossNames())))
	}
	if config.Optimizer, err = optim.Lookup(c.Text("optimizer")); err != nil {
		return config, misuse("%v%s", err, didYouMean(nearest(c.Text("optimizer"), optimizerNames())))
	}
	for flag, to := range map[string]**regexp.Regexp{"train": &config.Train, "freeze": &config.Freeze} {
		if c.Text(flag) == "" {
			continue
		}
		if *to, err = regexp.Compile(c.Text(flag)); err != nil {
			return config, misuse("--%s: %v", flag, err)
		}
	}
	return config, nil
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
	manifest.Settings = map[string]any{"verb": "artifacts", "loss": a.Contract.Loss, "optimizer": a.Contract.Optimizer}
	for _, name := range []string{training.TrainingFile, training.EvalFile, training.OptimizerFile, training.FusedFile, training.ContractFile} {
		data, err := os.ReadFile(dir.File(name))
		if err != nil {
			return folderError(c.Out(), err)
		}
		manifest.Add(name, data)
	}
	data, err := manifest.Encode()
	if err == nil {
		err = dir.WriteFile(export.ManifestName, data)
	}
	if err == nil {
		err = dir.Commit()
	}
	if err != nil {
		return folderError(c.Out(), err)
	}
	return nil
}
