package cli

import (
	"slices"

	"github.com/urfave/cli/v2"
)

var convertVerb = verb{
	name: "convert", args: "FILE ...", short: "bring a model into another opset, element type or file format",
	long: `The formats of FILE and --out follow from their extensions.`,
	examples: []string{
		"graft convert model.onnx --opset 21 --out model21.onnx",
	},
	groups: readsModel | runsModel | writes,
	flags: slices.Concat([]cli.Flag{
		integer("opset", "N", 7, 26, 0, "opset of the standard's operators to bring the model into (default: as it is)").under("Form"),
		choice("precision", "", "floating-point type of values and weights", "fp32", "fp16", "bf16", "mixed").under("Precision"),
		toggle("keep-io", "leave inputs and outputs in their types, with Casts behind and before them").under("Precision"),
		number("tolerance", "X", between(0, 1), 5e-3, "largest max|a-b| / max|a| that an output may have to pay for --precision").under("Precision"),
		repeated("inputs", "FILE", "inputs by name to decide and check by: .npz, .safetensors or .npy; repeatable (default: made up from --seed)").under("Runs"),
		dimFlag().under("Runs"),
		toggle("no-verify", "convert without running the model").under("Runs"),
	}, formatFlags),
	run: runConvert,
}

// convertedFile is the document of graft convert --json.
type convertedFile struct {
	executed
	File   string `json:"file"`
	Format string `json:"format"`
	Bytes  int64  `json:"bytes"`
	Opset  int64  `json:"opset,omitempty"`
	*narrowedModel
}

func runConvert(c *call) error {
	out, err := c.OutFile()
	if err != nil {
		return err
	}
	to, err := formatOf(out)
	if err != nil {
		return misuse("--out %s: %v", quote(out), err)
	}
	if to.write == nil {
		return misuse("--out %s: %s is read, not written", quote(out), to.name)
	}
	w, err := c.readSources(c.Args)
	if err != nil {
		return err
	}
	doc := convertedFile{File: out, Format: to.name}
	if w.model != nil {
		if err := c.convertModel(w, &doc); err != nil {
			return err
		}
	}
	if doc.Bytes, err = to.write(c, w, out); err != nil {
		return err
	}
	doc.executed = c.executed()
	c.JSON(doc)
	would := ""
	if c.Common.DryRun {
		would = "would write "
	}
	c.Print("%s%s: %s, %s", would, out, to.name, size(doc.Bytes))
	return nil
}

// convertModel applies the flags that change a network, in the order in which they build upon each other.
func (c *call) convertModel(w *content, doc *convertedFile) (err error) {
	path := c.Arg(0)
	if c.Text("precision") != "" {
		if w.model, doc.narrowedModel, err = c.convertPrecision(path, w.model); err != nil {
			return err
		}
	}
	doc.Opset = w.model.Opset("")
	return nil
}
