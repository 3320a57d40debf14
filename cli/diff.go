package cli

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/urfave/cli/v2"

	"graft/onnx"
	"graft/onnx/diff"
	"graft/runtime"
)

var diffVerb = verb{
	name: "diff", args: "A B", short: "show what differs between two models",
	long: "Nodes, attributes, wiring, weights with the norm of their difference, opsets, inputs and outputs, metadata; then both\n" +
		"are run on the same inputs, as graft compare does. Nodes are matched by what they compute and by name: names inside\n" +
		"a model do not count, those of inputs and outputs do. Exit code 1 when the models differ.",
	examples: []string{
		"graft diff model.onnx edited.onnx",
		"graft diff model.onnx model.fp16.onnx --inputs batch.npz --json",
		"graft diff old.onnx new.onnx --structure",
	},
	groups: readsModel | runsModel,
	flags: []cli.Flag{
		text("inputs", "FILE.npz", "inputs by name; .npz, .safetensors, or .npy for an only input"),
		dimFlag(),
		toggle("structure", "compare the files alone; nothing is run"),
		number("atol", "X", between(0, 1e9), 1e-5, "absolute tolerance of the outputs"),
		number("rtol", "X", between(0, 1e9), 1e-5, "tolerance relative to the largest element of A's output"),
	},
	run: runDiff,
}

// differed is the document of graft diff --json. Numerics is absent under --structure.
type differed struct {
	executed
	*diff.Report
	Numerics *numerics `json:"numerics,omitempty"`
}

// numerics is what both models give on the same inputs. Reason says why that is not known.
type numerics struct {
	Equal   bool                 `json:"equal"`
	ATol    float64              `json:"atol"`
	RTol    float64              `json:"rtol"`
	Outputs []runtime.Difference `json:"outputs"`
	MaxAbs  runtime.Real         `json:"max_abs"`
	Reason  string               `json:"reason,omitempty"`
}

func runDiff(c *call) error {
	sides, err := c.loadSides()
	if err != nil {
		return err
	}
	doc := differed{Report: diff.Models(sides[0].model, sides[1].model)}
	if !c.Bool("structure") {
		if doc.Numerics, err = c.diffNumerics(sides); err != nil {
			return err
		}
	} else if c.Text("inputs") != "" {
		return misuse("--structure runs nothing: --inputs has no use")
	}
	doc.executed = c.executed()
	c.JSON(doc)
	c.printDiff(sides, doc)
	switch {
	case doc.Equal:
		return nil
	case doc.RenamedOnly:
		return no(fmt.Sprintf("%s and %s differ in the names of inputs and outputs alone", sides[0].path, sides[1].path))
	}
	return no(fmt.Sprintf("%s and %s differ", sides[0].path, sides[1].path))
}

// loadSides reads the two models.
func (c *call) loadSides() (sides [2]side, err error) {
	for i := range sides {
		sides[i].path = c.Arg(i)
		if sides[i].model, err = c.loadModel(sides[i].path); err != nil {
			return sides, err
		}
	}
	return sides, nil
}

// diffNumerics runs both models. What keeps them from running is an error where inputs were given, else a reason.
func (c *call) diffNumerics(sides [2]side) (*numerics, error) {
	tol := runtime.Tolerance{Abs: c.Float("atol"), Rel: c.Float("rtol")}
	doc := &numerics{ATol: tol.Abs, RTol: tol.Rel, Outputs: []runtime.Difference{}}
	results, err := c.runBoth(sides)
	if err != nil {
		if ctx := c.Context().Err(); ctx != nil || c.Text("inputs") != "" || codeOfError(err) == exitUsage {
			return nil, err
		}
		doc.Reason = oneLine(err.Error())
		return doc, nil
	}
	got := runtime.Compare(results[0], results[1], tol)
	doc.Equal, doc.Outputs, doc.MaxAbs = got.Equal, inOrder(got.Outputs, sides[0].model.Graph), got.MaxAbs
	return doc, nil
}

// codeOfError is the exit code that err would end the run with.
func codeOfError(err error) int { return classify("", err).Code }

// runBoth gives what both models make of the same inputs, B's under A's names where they pair by place.
func (c *call) runBoth(sides [2]side) (results [2]map[string]*onnx.Tensor, err error) {
	for _, s := range sides {
		if s.model.Graph == nil {
			return results, refused(s.path, errors.New("has no graph to run"))
		}
	}
	feeds, err := c.commonFeeds(sides)
	if err != nil {
		return results, err
	}
	for i, s := range sides {
		if results[i], err = c.runSide(s, feeds); err != nil {
			return results, err
		}
	}
	if renamed := pairByPlace(sides, results[1]); renamed != nil {
		results[1] = renamed
	}
	return results, nil
}

func (c *call) printDiff(sides [2]side, doc differed) {
	r := doc.Report
	c.Print("A  %s", sides[0].path)
	c.Print("B  %s", sides[1].path)
	c.changes("model", r.Model)
	c.changes("not compared", r.Notes)
	c.Print("")
	c.Print("nodes: %d and %d, %d matched; %d changed, %d only in A, %d only in B", r.Nodes.A, r.Nodes.B, r.Nodes.Matched, r.Nodes.Changed,
		r.Nodes.Removed, r.Nodes.Added)
	if len(r.Operators) > 0 {
		t := table{Head: []string{"operator", "A", "B", "B-A"}}
		for _, o := range r.Operators {
			t.Add(o.Op, o.A, o.B, fmt.Sprintf("%+d", o.B-o.A))
		}
		c.Print("")
		c.Table(t)
	}
	if len(r.Changed) > 0 {
		t := table{Head: []string{"changed node", "operator", "what", "A", "B"}}
		for _, p := range r.Changed {
			name := inGraph(p.Graph, p.A)
			if p.B != p.A {
				name += " = " + p.B
			}
			for _, x := range p.Changes {
				t.Add(name, p.Op, x.What, shortened(x.A), shortened(x.B))
			}
		}
		c.Print("")
		c.longTable(t)
	}
	c.diffNodes("only in A", r.Removed)
	c.diffNodes("only in B", r.Added)
	c.diffWeights(r)
	c.diffNames(r.Renamed)
	c.printNumerics(doc.Numerics, doc.on())
	c.Print("")
	switch {
	case r.Equal && r.RenamedOnly:
		c.Print("equal: only names inside differ")
	case r.Equal:
		c.Print("equal")
	case r.RenamedOnly:
		c.Print("the same model under other names of inputs and outputs")
	default:
		c.Print("different")
	}
}

func (c *call) changes(head string, list []diff.Change) {
	if len(list) == 0 {
		return
	}
	t := table{Head: []string{head, "A", "B"}}
	for _, x := range list {
		t.Add(x.What, shortened(cmp.Or(x.A, "-")), shortened(cmp.Or(x.B, "-")))
	}
	c.Print("")
	c.longTable(t)
}

func (c *call) diffNodes(head string, list []diff.Node) {
	if len(list) == 0 {
		return
	}
	t := table{Head: []string{head, "operator"}}
	for _, n := range list {
		t.Add(inGraph(n.Graph, n.Name), n.Op)
	}
	c.Print("")
	c.longTable(t)
}

func (c *call) diffWeights(r *diff.Report) {
	if len(r.Weights) == 0 {
		return
	}
	t := table{Head: []string{"weight", "A", "B", "|A|", "|B|", "|A-B|", "max |a-b|", "changed"}}
	for _, w := range r.Weights {
		name := cmp.Or(w.A, w.B)
		if w.A != "" && w.B != "" && w.A != w.B {
			name = w.A + " = " + w.B
		}
		second := w.TypeB
		if second == w.TypeA {
			second = "same"
		}
		t.Add(name, cmp.Or(w.TypeA, "-"), cmp.Or(second, "-"), realCell(float64(w.NormA)), realCell(float64(w.NormB)),
			realCell(float64(w.NormDiff)), realCell(float64(w.MaxAbs)), fmt.Sprintf("%d of %d", w.Changed, w.Total))
	}
	c.Print("")
	c.longTable(t)
	c.Print("%s the same", counted(r.SameWeights, "weight"))
}

func (c *call) diffNames(r diff.Renamed) {
	if len(r.Signature) > 0 {
		t := table{Head: []string{"signature in A", "in B"}}
		for _, p := range r.Signature {
			t.Add(p[0], p[1])
		}
		c.Print("")
		c.Table(t)
	}
	if r.Nodes+r.Values+r.Weights == 0 {
		return
	}
	c.Print("")
	c.Print("other names inside: %s, %s, %s, such as %s for %s", counted(r.Nodes, "node"), counted(r.Values, "value"),
		counted(r.Weights, "weight"), quote(r.Examples[0][1]), quote(r.Examples[0][0]))
}

func (c *call) printNumerics(n *numerics, on string) {
	if n == nil {
		return
	}
	c.Print("")
	if n.Reason != "" {
		c.Print("not run: %s", n.Reason)
		return
	}
	c.differences("output", n.Outputs)
	verdict := "agree"
	if !n.Equal {
		verdict = "differ"
	}
	c.Print("outputs %s at atol %g, rtol %g%s", verdict, n.ATol, n.RTol, on)
}

// longTable prints a table, of a very long one the beginning unless --verbose asks for all.
func (c *call) longTable(t table) {
	const most = 60
	rest := len(t.Rows) - most
	if rest <= 0 || c.Common.Verbose {
		c.Table(t)
		return
	}
	t.Rows = slices.Clone(t.Rows[:most])
	c.Table(t)
	c.Print("... %d more rows; --verbose shows them", rest)
}

func inGraph(graph, name string) string {
	if graph == "" {
		return name
	}
	return graph + "/" + name
}

// realCell is a number for a table, nothing where it is none.
func realCell(x float64) any {
	if x != x {
		return nil
	}
	return x
}
