package cli

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"graft/cli/peer"
	"graft/onnx"
	"graft/onnx/op"
	"graft/runtime"
)

var verifyVerb = verb{
	name: "verify", args: "MODEL", short: "run a model on the same input in several runtimes and compare what they give",
	long: `ort is the ONNX Runtime that graft uses. onnx-go is inside graft: pure Go, 38 operators, opset 9 as it was; it is said
where the model's operators mean something else. The others run where they are installed, each in a process of its own:
onnxruntime-web and onnxruntime-node in Node.js, openvino, onnxruntime-python and reference (of the package onnx) in Python.
What is not installed is said to be absent.

The first runtime of the list that ran is what the others are held against: |a-b| <= atol + rtol*max|a| for every output.
The exit code is 1 when one differs or fails; a runtime that is absent or lacks an operator counts under --strict alone.`,
	examples: []string{
		"graft verify model.onnx",
		"graft verify model.onnx --runtimes ort,onnx-go,onnxruntime-web,openvino,reference --node-modules node/",
		"graft verify model.onnx --runtimes ort,reference --inputs batch.npz --python venv/bin/python --json",
	},
	groups: readsModel | runsModel,
	flags: []cli.Flag{
		list("runtimes", "NAMES", "runtimes: "+strings.Join(runtimeNames(), ", ")+" (default ort,onnx-go)"),
		text("inputs", "FILE.npz", "inputs by name; .npz, .safetensors, or .npy for an only input").under("Input"),
		dimFlag().under("Input"),
		number("atol", "X", between(0, 1e9), 1e-5, "absolute tolerance").under("Tolerance"),
		number("rtol", "X", between(0, 1e9), 1e-3, "tolerance relative to the largest element of an output").under("Tolerance"),
		toggle("strict", "a runtime that is absent or lacks an operator counts as one that differs").under("Tolerance"),
		list("python", "FILE", "Python interpreters, tried in turn for each runtime (default python3, python)").under("Runtimes"),
		text("node", "FILE", "Node.js (default node)").under("Runtimes"),
		list("node-modules", "DIR", "folders whose node_modules hold the runtimes, besides the current one").under("Runtimes"),
		integer("timeout", "SECONDS", 1, 86_400, 300, "how long a runtime may take").under("Runtimes"),
	},
	run: runVerify,
}

// foreign says how a runtime that is not ort is started.
type foreign uint8

const (
	inPython foreign = iota + 1
	inNode
	inGraft
)

// otherRuntimes are the runtimes besides ort.
var otherRuntimes = []struct {
	name string
	how  foreign
}{
	{"onnx-go", inGraft}, {"onnxruntime-web", inNode}, {"onnxruntime-node", inNode},
	{"openvino", inPython}, {"onnxruntime-python", inPython}, {"reference", inPython},
}

func runtimeNames() []string {
	names := []string{"ort"}
	for _, r := range otherRuntimes {
		names = append(names, r.name)
	}
	return names
}

// Verdicts on a runtime.
const (
	verdictBase        = "base" // the others are held against it
	verdictEqual       = "equal"
	verdictDiffers     = "differs"
	verdictFailed      = "failed"
	verdictUnsupported = "unsupported" // it lacks what the model needs
	verdictAbsent      = "absent"
)

// runtimesCompared is the document of graft verify --json.
type runtimesCompared struct {
	executed
	Equal    bool         `json:"equal"`
	ATol     float64      `json:"atol"`
	RTol     float64      `json:"rtol"`
	Runtimes []verifiedIn `json:"runtimes"`
}

// verifiedIn is one runtime. The numbers are there when its outputs were compared.
type verifiedIn struct {
	Name    string               `json:"name"`
	Version string               `json:"version,omitempty"`
	Verdict string               `json:"verdict"`
	MaxAbs  *runtime.Real        `json:"max_abs,omitempty"`
	MaxRel  *runtime.Real        `json:"max_rel,omitempty"`
	Outputs []runtime.Difference `json:"outputs,omitempty"`
	Seconds float64              `json:"seconds"`
	Reason  string               `json:"reason,omitempty"`
	Opset9  []string             `json:"opset_9_differs,omitempty"`

	results map[string]*onnx.Tensor
}

func runVerify(c *call) error {
	path := c.Arg(0)
	names := c.List("runtimes")
	if len(names) == 0 {
		names = []string{"ort", "onnx-go"}
	}
	for i, name := range names {
		if !slices.Contains(runtimeNames(), name) {
			return misuse("--runtimes: unknown runtime %s%s", quote(name), didYouMean(nearest(name, runtimeNames())))
		}
		if slices.Contains(names[:i], name) {
			return misuse("--runtimes: %s is there twice", name)
		}
	}
	s := side{path: path}
	var err error
	if s.model, err = c.loadModel(path); err != nil {
		return err
	}
	feeds, err := c.verifyFeeds(s)
	if err != nil {
		return err
	}
	doc := runtimesCompared{Equal: true, ATol: c.Float("atol"), RTol: c.Float("rtol")}
	c.Progress().Stage("runtimes", len(names))
	for i, name := range names {
		start := time.Now()
		in, err := c.verifyIn(name, s, feeds)
		if err != nil {
			return err
		}
		in.Name, in.Seconds = name, time.Since(start).Seconds()
		doc.Runtimes = append(doc.Runtimes, in)
		c.Progress().Step(i+1, name)
	}
	ran := doc.judge(s.model.Graph, c.Bool("strict"))
	doc.executed = c.executed()
	c.JSON(doc)
	if ran < 2 {
		return &Error{File: path, Code: exitEnvironment, Reason: "fewer than two runtimes ran the model: " + doc.reasons(),
			Hint: "name others with --runtimes; --python, --node and --node-modules say where they are"}
	}
	c.printVerified(doc)
	if !doc.Equal {
		return no(path + ": the runtimes do not agree")
	}
	return nil
}

// verifyFeeds gives every input of the model a tensor.
func (c *call) verifyFeeds(s side) (map[string]*onnx.Tensor, error) {
	feeds := map[string]*onnx.Tensor{}
	if file := c.Text("inputs"); file != "" {
		if err := feedsOfFile(feeds, feedNames(s.model.Graph), file); err != nil {
			return nil, err
		}
	}
	return feeds, c.complete(s.model, s.path, feeds)
}

// verifyIn runs the model in one runtime. What is the runtime's own trouble is in what it gives; an error ends the verb.
func (c *call) verifyIn(name string, s side, feeds map[string]*onnx.Tensor) (verifiedIn, error) {
	in := verifiedIn{}
	var err error
	if name == "ort" {
		in.Version = runtimeVersion(c)
		in.results, err = c.runSide(s, feeds)
	} else {
		in.results, in.Version, err = c.runForeign(name, s, feeds)
	}
	if c.Context().Err() != nil {
		return in, c.Context().Err()
	}
	if name == "onnx-go" {
		inferred := s.model.Clone()
		op.InferModel(inferred)
		in.Opset9 = peer.Opset9Differences(inferred)
	}
	in.grade(err)
	return in, nil
}

// judge fills the verdicts and gives how many runtimes ran.
func (doc *runtimesCompared) judge(g *onnx.Graph, strict bool) (ran int) {
	var base *verifiedIn
	for i := range doc.Runtimes {
		in := &doc.Runtimes[i]
		switch {
		case in.results == nil:
			doc.Equal = doc.Equal && in.Verdict != verdictFailed && !strict
			continue
		case base == nil:
			base, in.Verdict = in, verdictBase
		default:
			got := runtime.Compare(base.results, in.results, runtime.Tolerance{Abs: doc.ATol, Rel: doc.RTol})
			in.Verdict, in.Outputs, in.MaxAbs = verdictEqual, inOrder(got.Outputs, g), &got.MaxAbs
			rel := runtime.Real(0)
			for _, d := range got.Outputs {
				if rel = max(rel, d.MaxRel); d.Reason != "" && in.Reason == "" {
					in.Reason = "output " + d.Name + ": " + d.Reason
				}
			}
			in.MaxRel = &rel
			if !got.Equal {
				in.Verdict, doc.Equal = verdictDiffers, false
			}
		}
		ran++
	}
	return ran
}

func (doc *runtimesCompared) reasons() string {
	var all []string
	for _, in := range doc.Runtimes {
		if in.results == nil {
			all = append(all, in.Name+" "+in.Verdict+because(in.Reason))
		}
	}
	return strings.Join(all, "; ")
}

func (c *call) printVerified(doc runtimesCompared) {
	t := table{Head: []string{"runtime", "version", "max |a-b|", "relative", "seconds", "verdict", ""}}
	shown := func(r *runtime.Real) any {
		switch {
		case r == nil:
			return ""
		case math.IsInf(float64(*r), 0):
			return "inf"
		}
		return fmt.Sprintf("%.3g", float64(*r))
	}
	for _, in := range doc.Runtimes {
		t.Add(in.Name, in.Version, shown(in.MaxAbs), shown(in.MaxRel), fmt.Sprintf("%.2f", in.Seconds), in.Verdict, in.Reason)
	}
	c.Table(t)
	for _, in := range doc.Runtimes {
		for _, what := range in.Opset9 {
			c.Print("%s follows opset 9, the model does not: %s", in.Name, what)
		}
	}
	c.Print("")
	c.Print("tolerance: atol %g, rtol %g%s", doc.ATol, doc.RTol, doc.on())
}
