package cli

import (
	"cmp"
	"fmt"
	"strconv"

	"github.com/urfave/cli/v2"

	"graft/export"
	"graft/onnx"
	"graft/onnx/inspect"
	"graft/onnx/op"
	"graft/runtime"
	"graft/training/oes"
)

var exportVerb = verb{
	name: "export", args: "FILE", short: "make a model ready for other runtimes, and check it against the one it came from",
	long: `FILE is an ONNX model, or a folder of training artifacts, whose model with the weights of its checkpoint is exported.
--compact cuts channels that are constant or unread, which leaves the output as it is. --sparse-initializer stores weights
that are mostly zero by place and value: it saves disk, runtimes make them dense when they load the file. --packed takes half
of that and less, for a file that graft unpack, or thirty lines in any language, make a model of again. --from puts the weights of
a checkpoint folder in the places of the initializers of the same names.

A generator's one input can be made inside the file (--z generate), uniform on (0, 0.1) from --seed: then the file needs no
input at all. --z tensor stores the same numbers.

The new file is run against the old one on the same inputs before it is written, and refused when an output differs by more
than 1e-5 + 1e-5 of its largest value. --precision then brings it into another element type: fp16 and bf16 keep in float32 what
would cost an output more than --tolerance; int8 computes in integers where the ranges are known, from --inputs or because the
model's input is made inside, and elsewhere with ranges taken as the model runs; int4 stores weights in blocks. With --packed it is
the type in which weights are stored, fp32, fp16 or int8: the model that is unpacked is one of float32.`,
	examples: []string{
		"graft export pruned.onnx --compact --out small.onnx",
		"graft export hourglass.onnx --z generate --seed 7 --out generator.onnx",
		"graft export artifacts/ --sparse-initializer --out trained.onnx",
		"graft export pruned.onnx --compact --precision int8 --inputs samples.npz --out small.onnx",
		"graft export pruned.onnx --compact --packed --precision fp16 --out small.safetensors",
	},
	groups: readsModel | runsModel | writes | writesModel,
	flags: []cli.Flag{
		toggle("compact", "cut channels that are constant or unread").under("Form"),
		toggle("sparse-initializer", "store initializers sparsely where that is smaller").under("Form"),
		toggle("packed", "write a file of the graph and of what is not zero, for graft unpack").under("Form"),
		choice("precision", "fp32", "element type of values and weights, as graft convert makes it", "fp32", "fp16", "bf16", "int8", "int4").under("Precision"),
		toggle("keep-io", "leave inputs and outputs in their types, with Casts behind and before them (fp16, bf16)").under("Precision"),
		number("tolerance", "X", between(0, 1), 0, "largest max|a-b| / max|a| that --precision may cost an output; 0: 0.005 for fp16, 0.03 for bf16, not held for int8 and int4").under("Precision"),
		repeated("inputs", "FILE", "inputs by name to decide, calibrate and check by: .npz, .safetensors or .npy; repeatable (default: made up from --seed)").under("Precision"),
		choice("z", string(export.ZInput), "where a generator's input comes from", string(export.ZGenerate), string(export.ZInput), string(export.ZTensor)).under("Form"),
		text("from", "DIR", "checkpoint folder to take the weights from").under("Weights"),
		toggle("ema", "take the checkpoint's moving average of the parameters").under("Weights"),
		toggle("no-verify", "write the file without running it").under("Check"),
		dimFlag().under("Check"),
	},
	run: runExport,
}

// exportedModel is the document of graft export --json. MaxAbsDiff is absent when the file was not run.
type exportedModel struct {
	executed
	File          string   `json:"file"`
	Bytes         int64    `json:"bytes"`
	Params        int64    `json:"params"`
	ParamsNonzero int64    `json:"params_nonzero"`
	Channels      int64    `json:"channels_removed"`
	Opset         int64    `json:"opset"`
	MaxAbsDiff    *float64 `json:"max_abs_diff,omitempty"`
	Hash          string   `json:"hash"` // SHA-256 of the file
	*savedModel

	Narrowed  *narrowedModel  `json:"precision,omitempty"`
	Quantized *quantizedModel `json:"quantization,omitempty"`
	Packed    *packedModel    `json:"packed,omitempty"`
}

func runExport(c *call) error {
	out, err := c.OutFile()
	if err != nil {
		return err
	}
	if err := cmp.Or(c.checkExportPacked(), c.checkExportPrecision()); err != nil {
		return err
	}
	path := c.Arg(0)
	m, err := c.exportSource(path)
	if err != nil {
		return err
	}
	d := export.Deployment{Z: export.Z(c.Text("z")), Key: oes.ZKey(c.Common.Seed), Scale: oes.ZScale,
		Compact: c.Bool("compact"), Sparse: c.Bool("sparse-initializer"), Metadata: c.exportMetadata()}
	deployed, err := d.Apply(m)
	if err != nil {
		return refused(path, err)
	}
	made := deployed.Model
	doc := exportedModel{File: out, Channels: deployed.Compaction.Channels}
	if !c.Bool("no-verify") {
		diff, err := c.verifyExport(path, m, made)
		if err != nil {
			return err
		}
		doc.MaxAbsDiff = &diff
		made.Metadata.Set("graft.tolerance", fmt.Sprintf("%g + %g of the largest value", export.Float32.Absolute, export.Float32.Relative))
	}
	if c.Bool("packed") {
		err = c.savePacked(path, out, made, &doc)
	} else {
		err = c.saveExport(path, out, made, &doc)
	}
	if err != nil {
		return err
	}
	doc.executed = c.executed()
	doc.Bytes, doc.Hash = doc.bytes, doc.hash
	c.JSON(doc)
	would := "would write "
	if !c.Common.DryRun {
		would = ""
	}
	c.Print("%s%s: %s parameters, %s of them not zero, %s, opset %d", would, out, grouped(doc.Params), grouped(doc.ParamsNonzero), size(doc.Bytes), doc.Opset)
	if p := doc.Packed; p != nil {
		c.Print("1/%.1f of the same model unpacked, which takes %s", float64(p.Dense)/float64(doc.Bytes), size(p.Dense))
	}
	if c.Bool("compact") {
		c.Print("%s removed", counted(int(doc.Channels), "channel"))
	}
	if doc.MaxAbsDiff == nil {
		c.Print("not verified: the file was not run")
	} else {
		c.Print("differs from %s by at most %.3g%s", path, *doc.MaxAbsDiff, doc.on())
	}
	return nil
}

// saveExport writes the model to the file at out, in the type of --precision.
func (c *call) saveExport(path, out string, made *onnx.Model, doc *exportedModel) (err error) {
	if made, err = c.exportPrecision(path, made, doc); err != nil {
		return err
	}
	if doc.MaxAbsDiff != nil {
		made.Metadata.Set("graft.max_abs_diff", strconv.FormatFloat(*doc.MaxAbsDiff, 'g', 6, 64))
	}
	doc.Opset = made.Opset("")
	s := inspect.Describe(made)
	doc.Params, doc.ParamsNonzero = s.Parameters, s.Nonzero
	doc.savedModel, err = c.saveModel(made, out, true, nil)
	return err
}

// exportMetadata is the provenance that the file carries, beside what the model's file has.
func (c *call) exportMetadata() onnx.Metadata {
	m := onnx.Metadata{{Key: "graft.version", Value: readVersion().Version}, {Key: "graft.precision", Value: c.Text("precision")}}
	if c.Text("z") != string(export.ZInput) {
		m.Set("graft.seed", fmt.Sprint(c.Common.Seed))
	}
	if !c.Bool("no-verify") {
		m.Set("graft.onnxruntime", runtimeVersion(c))
	}
	return m
}

// verifyExport runs both models and gives their largest difference.
func (c *call) verifyExport(path string, original, made *onnx.Model) (float64, error) {
	feeds := map[string]*onnx.Tensor{}
	if z := export.Z(c.Text("z")); z == export.ZGenerate || z == export.ZTensor {
		in := original.Graph.Inputs()[0]
		dims, _ := in.Type.Shape.Sizes()
		feeds[in.Name] = oes.NewZ(c.Common.Seed, dims...)
	} else if err := c.complete(original, path, feeds); err != nil {
		return 0, err
	}
	op.InferModel(made)
	diff, err := export.Verify(c.Context(), original, made, feeds, export.Float32, c.runtimeOptions())
	if err == nil {
		return diff, nil
	}
	if c.Context().Err() != nil {
		return 0, c.Context().Err()
	}
	graded := runtimeError(err, path)
	if graded == err {
		return 0, &Error{File: path, Err: err, Code: exitRuntime, Hint: "nothing was written"}
	}
	if e, ok := graded.(*Error); ok && e.Code == exitEnvironment {
		e.Reason += ": the export cannot be checked"
		e.Hint += "; --no-verify writes it unchecked"
	}
	return 0, graded
}

// runtimeVersion is the version of the ONNX Runtime that the verb runs on, "" when none is found.
func runtimeVersion(c *call) string {
	l, err := runtime.FindLibrary(c.runtimeOptions())
	if err != nil {
		return ""
	}
	return l.Version
}
