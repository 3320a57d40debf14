package cli

import (
	"fmt"
	"maps"
	"os"
	"slices"

	"github.com/urfave/cli/v2"

	"graft/onnx"
	"graft/onnx/op"
	"graft/onnx/rewrite"
	"graft/runtime"
)

var simplifyVerb = verb{
	name: "simplify", args: "FILE", short: "rewrite a model into fewer nodes that compute the same",
	long: `What is constant is computed, what does nothing or is not read goes, what is computed twice is computed once, and groups
of nodes become the one operator of the file's own opset that does the same.

--verify runs both models on several made-up inputs, with free dimensions of 1, 2, 3 and so on where the model takes them, and
on those of --inputs. It refuses a result that differs by more than --atol + --rtol of an output's largest value: exit code 1,
nothing written. A rule that fails is skipped and named; exit code 1 under --strict, and nothing written.`,
	examples: []string{
		"graft simplify model.onnx --out small.onnx --verify",
		"graft simplify model.onnx --out small.onnx --verify --dim batch=4 --inputs batch.npz --strict",
	},
	groups: readsModel | runsModel | writes | writesModel,
	flags: []cli.Flag{
		toggle("verify", "run both models on the same inputs before anything is written").under("Check"),
		toggle("strict", "take a rule that fails for a failure").under("Check"),
		repeated("inputs", "FILE", "inputs by name for --verify, as well as those made up; repeatable").under("Check"),
		integer("rounds", "N", 0, 1000, 3, "made-up inputs that --verify runs; 0: those of --inputs alone").under("Check"),
		dimFlag().under("Check"),
		number("atol", "X", between(0, 1e9), 1e-5, "absolute tolerance of --verify").under("Check"),
		number("rtol", "X", between(0, 1e9), 1e-5, "tolerance of --verify relative to the largest element of an output").under("Check"),
		toggle("keep-functions", "leave calls of the model's functions as they are").under("Rules"),
		toggle("no-runtime", "compute constants without ONNX Runtime alone").under("Rules"),
	},
	run: runSimplify,
}

// simplified is the document of graft simplify --json. Verified is absent when the models were not run.
type simplified struct {
	executed
	rewrite.Simplified
	File        string         `json:"file"`
	Bytes       int64          `json:"bytes,omitempty"` // absent when the model was refused
	BytesBefore int64          `json:"bytes_before"`
	Nodes       int            `json:"nodes"`
	NodesBefore int            `json:"nodes_before"`
	Operators   []operatorTell `json:"operators"`
	Opset       int64          `json:"opset"`
	Verified    *verified      `json:"verified,omitempty"`
	*savedModel
}

// operatorTell counts an operator's nodes, those in graphs inside nodes among them.
type operatorTell struct {
	Operator string `json:"operator"`
	Before   int    `json:"before"`
	After    int    `json:"after"`
}

// verified says how the simplified model compares with the one it came from.
type verified struct {
	Equal  bool         `json:"equal"`
	Runs   int          `json:"runs"`
	MaxAbs runtime.Real `json:"max_abs"`
}

func runSimplify(c *call) error {
	out, err := c.OutFile()
	if err != nil {
		return err
	}
	if !c.Bool("verify") && c.IsSet("inputs") {
		return misuse("--inputs is for --verify")
	}
	if c.Bool("verify") && c.Int("rounds") == 0 && !c.IsSet("inputs") {
		return misuse("--rounds 0 wants --inputs: there is nothing to run")
	}
	path := c.Arg(0)
	m, err := c.loadModel(path)
	if err != nil {
		return err
	}
	doc := simplified{File: out, BytesBefore: modelBytes(path)}
	before := countOperators(m.Graph)
	var original *onnx.Model
	if c.Bool("verify") {
		original = m.Clone()
	}
	how := rewrite.Simplifying{MaxBytes: max(rewrite.DefaultFold, doc.BytesBefore), KeepFunctions: c.Bool("keep-functions")}
	if !c.Bool("no-runtime") {
		how.Evaluate = func(constants *onnx.Model) ([]*onnx.Tensor, error) { return c.evaluateConstants(constants, path) }
	}
	doc.Simplified = *rewrite.Simplify(m, how)
	doc.Operators = operatorTable(before, countOperators(m.Graph))
	for _, o := range doc.Operators {
		doc.NodesBefore += o.Before
		doc.Nodes += o.After
	}
	doc.Opset = m.Opset("")
	refusal := ""
	if doc.Verified, err = c.verifySimplified(path, original, m); err != nil {
		return err
	}
	if v := doc.Verified; v != nil && !v.Equal {
		refusal = fmt.Sprintf("%s: the simplified model differs: max |a-b| is %.3g; nothing was written", path, float64(v.MaxAbs))
	} else if len(doc.Skipped) > 0 && c.Bool("strict") {
		refusal = fmt.Sprintf("%s: %s failed; nothing was written", path, counted(len(doc.Skipped), "rule"))
	}
	doc.executed = c.executed()
	if refusal == "" {
		if doc.savedModel, err = c.saveModel(m, out, false, nil); err != nil {
			return err
		}
		doc.Bytes = doc.bytes
	}
	c.JSON(doc)
	for _, r := range doc.Skipped {
		where := ""
		if r.Where != "" {
			where = " at " + r.Where
		}
		c.Say("rule %s failed%s and was skipped: %s", r.Rule, where, oneLine(r.Reason))
	}
	if refusal != "" {
		return no(refusal)
	}
	c.printSimplified(doc)
	return nil
}

// modelBytes is the size of a model's file.
func modelBytes(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}

// evaluateConstants runs a model that has no inputs.
func (c *call) evaluateConstants(m *onnx.Model, path string) ([]*onnx.Tensor, error) {
	session, err := c.openSession(m, path)
	if err != nil {
		return nil, err
	}
	defer session.Close()
	got, err := session.Run(c.Context(), nil)
	if err != nil {
		return nil, err
	}
	list := make([]*onnx.Tensor, 0, len(got))
	for _, v := range m.Graph.Outputs() {
		list = append(list, got[v.Name])
	}
	return list, nil
}

// verifySimplified runs both models on made-up inputs and on the given ones; nil when original is nil. The sessions are open one
// after the other, so that memory is for one.
func (c *call) verifySimplified(path string, original, made *onnx.Model) (*verified, error) {
	if original == nil {
		return nil, nil
	}
	runs, err := c.runOriginal(side{path, original})
	if err != nil {
		return nil, err
	}
	session, err := c.openSession(made, path)
	if err != nil && c.Context().Err() == nil {
		c.Say("ONNX Runtime does not take the simplified model: %s", oneLine(err.Error()))
		return &verified{}, nil
	}
	if err != nil {
		return nil, err
	}
	defer session.Close()
	result := &verified{Equal: true}
	for _, r := range runs {
		result.Runs++
		got, err := c.runSession(session, side{path, made}, r.feeds)
		if err != nil && c.Context().Err() == nil {
			c.Say("the simplified model does not run: %s", oneLine(err.Error()))
			result.Equal = false
			continue
		}
		if err != nil {
			return nil, err
		}
		d := runtime.Compare(r.outputs, got, runtime.Tolerance{Abs: c.Float("atol"), Rel: c.Float("rtol")})
		result.Equal = result.Equal && d.Equal
		result.MaxAbs = max(result.MaxAbs, d.MaxAbs)
		for _, o := range d.Outputs {
			if !o.Equal {
				c.Say("output %s differs in run %d: %s", o.Name, result.Runs, orElse(o.Reason, fmt.Sprintf("max |a-b| is %.3g", float64(o.MaxAbs))))
			}
		}
	}
	return result, nil
}

// originalRun is what the model that is simplified gives.
type originalRun struct{ feeds, outputs map[string]*onnx.Tensor }

// runOriginal runs the model that is simplified on the inputs of --inputs and on made-up ones.
func (c *call) runOriginal(s side) (runs []originalRun, err error) {
	session, err := c.openSession(s.model, s.path)
	if err != nil {
		return nil, err
	}
	defer session.Close()
	run := func(feeds map[string]*onnx.Tensor) error {
		got, err := c.runSession(session, s, feeds)
		if err == nil {
			runs = append(runs, originalRun{feeds, got})
		}
		return err
	}
	for _, file := range c.List("inputs") {
		feeds := map[string]*onnx.Tensor{}
		if err := feedsOfFile(feeds, feedNames(s.model.Graph), file); err != nil {
			return nil, err
		}
		if err := c.complete(s.model, s.path, feeds); err != nil {
			return nil, err
		}
		if err := run(feeds); err != nil {
			return nil, err
		}
	}
	sampled, err := c.sampleModel(s.model, s.path)
	if err != nil {
		return nil, err
	}
	for k := range c.Int("rounds") {
		feeds, err := sampled.feeds(c, k, int64(k+1))
		if err != nil {
			return nil, err
		}
		err = run(feeds)
		if k > 0 && err != nil && c.Context().Err() == nil { // not every model takes every size
			if feeds, err = sampled.feeds(c, k, 1); err == nil {
				err = run(feeds)
			}
		}
		if err != nil {
			return nil, err
		}
	}
	return runs, nil
}

// sampling makes up inputs of a model.
type sampling struct {
	path   string
	inputs []*onnx.Value // with their types
	given  map[string]int64
}

func (c *call) sampleModel(m *onnx.Model, path string) (*sampling, error) {
	dims, err := c.freeDims()
	if err != nil {
		return nil, err
	}
	inferred := m.Clone()
	op.InferModel(inferred)
	s := &sampling{path: path, given: dims}
	for _, name := range feedNames(inferred.Graph) {
		s.inputs = append(s.inputs, inferred.Graph.Lookup(name))
	}
	return s, nil
}

// feeds are the inputs of run k: each from a seed of its own, with free dimensions of the given size.
func (s *sampling) feeds(c *call, k int, free int64) (map[string]*onnx.Tensor, error) {
	dims := maps.Clone(s.given)
	for _, v := range s.inputs {
		for _, d := range v.Type.Shape {
			if _, ok := dims[d.Symbol]; !ok && d.Symbol != "" {
				dims[d.Symbol] = free
			}
		}
	}
	feeds := map[string]*onnx.Tensor{}
	for _, v := range s.inputs {
		t, err := runtime.SampleValue(v, c.Common.Seed+uint64(k), dims)
		if err != nil {
			return nil, runtimeError(err, s.path)
		}
		feeds[v.Name] = t
	}
	return feeds, nil
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// countOperators counts the nodes of g, and of the graphs inside them, by operator.
func countOperators(g *onnx.Graph) map[string]int {
	counts := map[string]int{}
	var count func(g *onnx.Graph)
	count = func(g *onnx.Graph) {
		for _, n := range g.Nodes() {
			name := n.Op
			if n.Domain != "" && n.Domain != "ai.onnx" {
				name = n.Domain + "::" + n.Op
			}
			counts[name]++
			for _, sub := range n.Subgraphs() {
				count(sub)
			}
		}
	}
	count(g)
	return counts
}

func operatorTable(before, after map[string]int) []operatorTell {
	all := maps.Clone(before)
	maps.Copy(all, after)
	list := []operatorTell{}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		list = append(list, operatorTell{name, before[name], after[name]})
	}
	return list
}

func (c *call) printSimplified(doc simplified) {
	t := table{Head: []string{"operator", "before", "after"}}
	for _, o := range doc.Operators {
		t.Add(o.Operator, o.Before, o.After)
	}
	t.Add("total", doc.NodesBefore, doc.Nodes)
	c.Table(t)
	c.Print("")
	r := table{Head: []string{"rule", "times"}}
	for _, a := range doc.Rules {
		r.Add(a.Rule, a.Count)
	}
	if len(doc.Rules) > 0 {
		c.Table(r)
		c.Print("")
	}
	would := ""
	if c.Common.DryRun {
		would = "would write "
	}
	c.Print("%s%s: %s of %s nodes, %s of %s, opset %d", would, doc.File, grouped(int64(doc.Nodes)), grouped(int64(doc.NodesBefore)),
		size(doc.Bytes), size(doc.BytesBefore), doc.Opset)
	if v := doc.Verified; v != nil {
		c.Print("equal on %s within atol %g, rtol %g: max |a-b| is %.3g%s", counted(v.Runs, "input"), c.Float("atol"), c.Float("rtol"), float64(v.MaxAbs), doc.on())
	}
}
