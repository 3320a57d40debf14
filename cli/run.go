package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"time"

	"github.com/urfave/cli/v2"

	"graft/cli/outdir"
	"graft/export"
	"graft/onnx"
	"graft/onnx/inspect"
	"graft/runtime"
	"graft/training/dataset"
)

var runVerb = verb{
	name: "run", args: "FILE", short: "run a model in ONNX Runtime",
	long: "Inputs come from .npy, .npz, .safetensors, .pb, .json, text and image files; those not given are made up from --seed:\n" +
		"N(0,1) for floats, integers in the range that they index. A picture is scaled to the input's size, its samples to\n" +
		"(x-mean)/std of x in [0,1]. --out writes every output as NAME.npy into a folder.",
	examples: []string{
		"graft run model.onnx",
		"graft run model.onnx --input image=photo.npy --out results/",
		"graft run model.onnx --dim batch=8 --repeat 20 --profile",
		"graft run classifier.onnx --input photo.jpg --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225",
	},
	groups: readsModel | runsModel | writes,
	flags: []cli.Flag{
		repeated("input", "NAME=FILE", "an input's tensor, or FILE with tensors of the inputs' names; repeatable"),
		dimFlag(),
		list("mean", "X[,Y,Z]", "what is taken off a picture's samples, for all channels or each"),
		list("std", "X[,Y,Z]", "what a picture's samples are divided by after that"),
		integer("repeat", "N", 1, 1_000_000, 1, "run N times"),
		toggle("profile", "show which nodes and operators the time goes to"),
	},
	run: runRun,
}

// ran is the document of graft run --json. Seconds is the mean of one run.
type ran struct {
	executed
	Outputs []ranOutput `json:"outputs"`
	Seconds float64     `json:"seconds"`
	Runs    int         `json:"runs"`
	Profile *profiled   `json:"profile,omitempty"`
}

// ranOutput describes one output. Min, Max and Mean are absent where the output has no numbers; NaN counts those that are
// none.
type ranOutput struct {
	inspect.Port
	Min  *runtime.Real `json:"min,omitempty"`
	Max  *runtime.Real `json:"max,omitempty"`
	Mean *runtime.Real `json:"mean,omitempty"`
	NaN  int64         `json:"nan,omitempty"`
	File string        `json:"file,omitempty"`
}

func runRun(c *call) error {
	path := c.Arg(0)
	m, err := c.loadModel(path)
	if err != nil {
		return err
	}
	scale, err := c.pixelScale()
	if err != nil {
		return err
	}
	feeds, err := namedFeeds(m.Graph, c.List("input"), scale)
	if err != nil {
		return err
	}
	if err := c.complete(m, path, feeds); err != nil {
		return err
	}
	var dir *outdir.Dir
	if c.Out() != "" && !c.Common.DryRun {
		if dir, err = createFolder(c.Out(), c.Common.Force); err != nil {
			return err
		}
		defer func() { _ = dir.Abort() }()
	}
	s, profile, err := c.openProfiled(m, path)
	if err != nil {
		return err
	}
	defer profile.remove()
	defer s.Close()
	doc := ran{executed: c.executed(), Runs: c.Int("repeat"), Outputs: []ranOutput{}}
	var results map[string]*onnx.Tensor
	begin := time.Now()
	c.Progress().Stage("run", doc.Runs)
	for i := range doc.Runs {
		if results, err = s.Run(c.Context(), feeds); err != nil {
			return runtimeError(err, path)
		}
		c.Progress().Step(i+1, "")
	}
	c.Progress().Done()
	doc.Seconds = time.Since(begin).Seconds() / float64(doc.Runs)
	outputs := s.Outputs()
	if doc.Profile, err = profile.read(s, path); err != nil {
		return err
	}
	files := newFileNames()
	for _, p := range outputs {
		o := describeOutput(p.Name, results[p.Name])
		if c.Out() != "" {
			data, ending, err := tensorBytes(results[p.Name])
			if err != nil {
				return refused(path, fmt.Errorf("write output %s: %w", quote(p.Name), err))
			}
			o.File = files.of(p.Name, ending)
			if dir != nil {
				if err := dir.WriteFile(o.File, data); err != nil {
					return folderError(c.Out(), err)
				}
			}
		}
		doc.Outputs = append(doc.Outputs, o)
	}
	if dir != nil {
		if err := finishFolder(dir, path, doc); err != nil {
			return err
		}
	}
	c.JSON(doc)
	c.printRun(doc)
	return nil
}

func (c *call) printRun(doc ran) {
	t := table{Head: []string{"output", "type", "shape", "min", "max", "mean", "nan"}}
	if c.Out() != "" {
		t.Head = append(t.Head, "file")
	}
	number := func(r *runtime.Real) any {
		if r == nil {
			return nil
		}
		return float64(*r)
	}
	for _, o := range doc.Outputs {
		row := []any{o.Name, o.DType, shapeText(o.Shape), number(o.Min), number(o.Max), number(o.Mean), o.NaN}
		if c.Out() != "" {
			row = append(row, o.File)
		}
		t.Add(row...)
	}
	c.Table(t)
	c.printProfile(doc.Profile)
	each := ""
	if doc.Runs > 1 {
		each = fmt.Sprintf(" a run, %d runs", doc.Runs)
	}
	c.Print("%s: %.4g s%s", doc.Provider, doc.Seconds, each)
	if c.Out() != "" && c.Common.DryRun {
		c.Print("would write %s into %s", counted(len(doc.Outputs), "file"), c.Out())
	} else if c.Out() != "" {
		c.Print("%s in %s", counted(len(doc.Outputs), "file"), c.Out())
	}
}

// tensorBytes is the .npy form of a tensor, or ONNX's own where NumPy has no such element type.
func tensorBytes(t *onnx.Tensor) (data []byte, ending string, err error) {
	var b bytes.Buffer
	if err := dataset.WriteNpy(&b, t); err == nil {
		return b.Bytes(), ".npy", nil
	}
	data, err = onnx.EncodeTensor(t)
	return data, ".pb", err
}

func describeOutput(name string, t *onnx.Tensor) ranOutput {
	o := ranOutput{Port: inspect.PortOf(&onnx.Value{Name: name, Type: t.Type()})}
	values, ok := t.Reals()
	if !ok || len(values) == 0 {
		return o
	}
	lo, hi, sum, n := math.Inf(1), math.Inf(-1), 0.0, 0
	for _, x := range values {
		if math.IsNaN(x) {
			o.NaN++
			continue
		}
		lo, hi, sum, n = min(lo, x), max(hi, x), sum+x, n+1
	}
	if n > 0 {
		real := func(x float64) *runtime.Real { r := runtime.Real(x); return &r }
		o.Min, o.Max, o.Mean = real(lo), real(hi), real(sum/float64(n))
	}
	return o
}

// createFolder is outdir.Create with the command line's exit code.
func createFolder(path string, force bool) (*outdir.Dir, error) {
	dir, err := outdir.Create(path, force)
	if err != nil {
		return nil, folderError(path, err)
	}
	return dir, nil
}

func folderError(path string, err error) error {
	return &Error{File: path, Err: err, Code: exitEnvironment}
}

// writeManifest writes the manifest by which graft knows a folder that it has made.
func writeManifest(dir *outdir.Dir, m *export.Manifest) error {
	data, err := m.Encode()
	if err != nil {
		return err
	}
	return dir.WriteFile(export.ManifestName, data)
}

// finishFolder writes the manifest, by which graft knows its folders, and puts the folder in its place.
func finishFolder(dir *outdir.Dir, model string, doc any) error {
	data, err := json.MarshalIndent(struct {
		Producer string `json:"producer"`
		Verb     string `json:"verb"`
		Model    string `json:"model"`
		Run      any    `json:"run"`
	}{"graft", "run", model, doc}, "", "  ")
	if err != nil {
		return err
	}
	if err := dir.WriteFile("manifest.json", append(data, '\n')); err != nil {
		return folderError(dir.Path(), err)
	}
	if err := dir.Commit(); err != nil {
		return folderError(dir.Path(), err)
	}
	return nil
}
