package cli

import (
	"maps"
	"slices"

	"github.com/urfave/cli/v2"

	"graft/export"
	"graft/onnx"
	"graft/onnx/op"
	"graft/onnx/rewrite"
)

var convertVerb = verb{
	name: "convert", args: "FILE ...", short: "bring a model into another opset, element type or file format",
	long: `FILE is read as what its first bytes say it is, else by its extension; that of --out says what is written. Flags may be
given together: the opset is changed first, then dimensions, then element types, then weights become integers.

What cannot be rewritten exactly in an older opset is named, all of it at once. With --precision, what would overflow or lose
accuracy stays in float32, by what runs of the model show: on --inputs, or on inputs made up from --seed. --quantize
int8-static takes its ranges from runs on --data, --inputs or made-up inputs.`,
	examples: []string{
		"graft convert model.onnx --opset 13 --out model13.onnx",
		"graft convert model.onnx --precision fp16 --keep-io --out half.onnx",
		"graft convert model.onnx --quantize int8-static --data train.npz --out int8.onnx",
		"graft convert model.onnx --free-batch --out any-batch.onnx",
	},
	groups: readsModel | runsModel | writes | writesModel,
	flags: slices.Concat([]cli.Flag{
		integer("opset", "N", rewrite.OldestOpset, rewrite.NewestOpset, 0, "opset of the standard's operators to bring the model into (default: as it is)").under("Form"),
		repeated("fix", "NAME=N", "give a free dimension of the inputs a size: by its name, or as INPUT:AXIS; repeatable").under("Form"),
		toggle("free-batch", "make the first dimension of every input free, called batch").under("Form"),
		choice("precision", "", "floating-point type of values and weights", "fp32", "fp16", "bf16", "mixed").under("Precision"),
		toggle("keep-io", "leave inputs and outputs in their types, with Casts behind and before them").under("Precision"),
		number("tolerance", "X", between(0, 1), 0, "largest max|a-b| / max|a| that --precision may cost an output; 0: 0.005, for bf16 0.03").under("Precision"),
		choice("quantize", "", "integers in the place of weights, or of products", "int8-dynamic", "int8-static", "int8-blocks", "int4").under("Quantization"),
		toggle("per-tensor", "one scale for a whole weight, not one for each output channel").under("Quantization"),
		toggle("full-range", "int8 weights of 8 bits, not 7: exact where processors add in 32 bits (VNNI, Arm)").under("Quantization"),
		choice("calibration", string(export.MinMax), "how the ranges of int8-static follow from runs", string(export.MinMax), string(export.Percentile), string(export.Entropy)).under("Quantization"),
		number("percentile", "P", between(50, 100), 99.99, "percentage of a value's elements that --calibration percentile keeps in range").under("Quantization"),
		integer("block", "N", 16, 1024, 32, "elements that share a scale in int8-blocks and int4").under("Quantization"),
		choice("block-form", "standard", "DequantizeLinear with blocks, or ONNX Runtime's MatMulNBits", "standard", "matmulnbits").under("Quantization"),
		text("data", "FILE", "samples by name, along the first axis, that the ranges come from: .npz, .npy or .safetensors").under("Runs"),
		integer("samples", "N", 1, 1000000, 256, "how many samples of --data are run at most, evenly over all").under("Runs"),
		repeated("inputs", "FILE", "inputs by name to decide and check by: .npz, .safetensors or .npy; repeatable (default: made up from --seed)").under("Runs"),
		dimFlag().under("Runs"),
		toggle("no-verify", "convert without running the model").under("Runs"),
	}, formatFlags, languageFlags),
	run: runConvert,
}

// convertedFile is the document of graft convert --json.
type convertedFile struct {
	executed
	File      string             `json:"file"`
	Format    string             `json:"format"`
	Bytes     int64              `json:"bytes"`
	Opset     int64              `json:"opset,omitempty"`
	Changes   []rewrite.Change   `json:"changes,omitempty"` // of nodes, by --opset
	Narrowed  *narrowedModel     `json:"precision,omitempty"`
	Quantized *quantizedModel    `json:"quantization,omitempty"`
	Language  *convertedLanguage `json:"language,omitempty"`
	*savedModel
}

func runConvert(c *call) error {
	if c.Common.Out == "" {
		return misuse("flag --out is missing")
	}
	if _, err := formatOf(c.Common.Out); len(c.Args) == 1 && (err != nil || isGGUF(c.Common.Out)) {
		s, failed := c.openLanguage(c.Arg(0))
		if failed != nil {
			return failed
		}
		if s != nil {
			convert := c.convertLanguage
			if err := c.checkVariants(); err != nil {
				return err
			}
			if isGGUF(c.Common.Out) {
				convert = c.convertGGUF
			}
			err := convert(s)
			if failed := s.Close(); err == nil {
				err = failed
			}
			return err
		}
	}
	if len(c.Args) > 1 || !c.buildsNetwork(c.Arg(0)) {
		if err := c.noLanguageFlags(); err != nil {
			return err
		}
	}
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
	doc.executed, doc.savedModel = c.executed(), w.saved
	c.JSON(doc)
	would := ""
	if c.Common.DryRun {
		would = "would write "
	}
	c.Print("%s%s: %s, %s", would, out, to.name, size(doc.Bytes))
	c.printConversion(doc)
	return nil
}

func (c *call) printConversion(doc convertedFile) {
	if len(doc.Changes) > 0 {
		shown := doc.Changes
		if !c.Common.Verbose {
			shown = shown[:min(len(shown), 40)]
		}
		t := table{Head: []string{"node", "operator", "change"}}
		for _, ch := range shown {
			t.Add(ch.Node, ch.Op, ch.What)
		}
		c.Table(t)
		if rest := len(doc.Changes) - len(shown); rest > 0 {
			c.Print("and %d more: --verbose and --json list all", rest)
		}
	}
	if doc.Opset > 0 {
		c.Print("opset %d, %s changed", doc.Opset, counted(len(doc.Changes), "node"))
	}
	if q := doc.Quantized; q != nil {
		c.Print("%s: %s by %s of integers", q.Quantize, counted(q.Products, "product"), counted(q.Weights, "weight"))
		for _, k := range q.Kept {
			c.Detail("stays: %s", k)
		}
		if q.MaxRel != nil {
			c.Print("outputs differ by at most %.3g of their largest value%s", float64(*q.MaxRel), doc.on())
		}
	}
	if n := doc.Narrowed; n != nil {
		c.Print("%s: %s, %s; %s stay in float32", n.Precision, counted(n.Nodes, "node"), counted(n.Weights, "weight"), counted(len(n.Kept), "node"))
		for _, k := range n.Kept {
			c.Detail("%s (%s) stays: %s", k.Node, k.Op, k.Reason)
		}
		if n.Nodes == 0 && len(n.Kept) > 0 && n.MaxRel != nil {
			c.Print("no node was converted: on these inputs the model makes much of the rounding of what it reads; --inputs gives others, --tolerance allows more")
		}
		if n.MaxRel == nil {
			c.Print("not verified: the model was not run")
		} else {
			c.Print("outputs differ by at most %.3g of their largest value%s", float64(*n.MaxRel), doc.on())
		}
	}
}

// convertModel applies the flags that change a network, in the order in which they build upon each other.
func (c *call) convertModel(w *content, doc *convertedFile) (err error) {
	path := c.Arg(0)
	if err := c.convertOpset(path, w, doc); err != nil {
		return err
	}
	if err := c.convertDims(path, w); err != nil {
		return err
	}
	if c.Text("precision") != "" {
		if w.model, doc.Narrowed, err = c.convertPrecision(path, w.model); err != nil {
			return err
		}
	}
	if c.Text("quantize") != "" {
		if err := c.convertQuantize(path, w, doc); err != nil {
			return err
		}
	}
	doc.Opset = w.model.Opset("")
	return nil
}

// convertOpset applies --opset.
func (c *call) convertOpset(path string, w *content, doc *convertedFile) error {
	to := int64(c.Int("opset"))
	if to == 0 {
		to = c.bfloatOpset(w.model)
	}
	if to == 0 {
		return nil
	}
	m := w.model.Clone()
	changes, err := rewrite.ToOpset(m, to)
	if err != nil {
		return refused(path, err)
	}
	w.model, doc.Changes = m, changes
	return nil
}

// bfloatOpset is the opset that --precision bf16 brings m to, 0 where it is there: bfloat16 came to most operators with 22.
func (c *call) bfloatOpset(m *onnx.Model) int64 {
	const least = 22
	if c.Text("precision") != "bf16" || m.Opset("") >= least {
		return 0
	}
	c.Say("brought to opset %d, with which bfloat16 came to most operators", least)
	return least
}

// convertDims applies --free-batch and --fix.
func (c *call) convertDims(path string, w *content) error {
	fix, err := c.sizes("fix")
	if err != nil {
		return err
	}
	if len(fix) == 0 && !c.Bool("free-batch") {
		return nil
	}
	m := w.model.Clone()
	op.InferModel(m)
	m.Graph.AssignNames()
	if c.Bool("free-batch") {
		if err := rewrite.FreeBatch(m, "batch"); err != nil {
			return refused(path, err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(fix)) {
		if err := rewrite.FixDim(m, name, fix[name]); err != nil {
			return refused(path, err)
		}
	}
	w.model = m
	return nil
}
