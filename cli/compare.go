package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"graft/export"
	"graft/onnx"
	"graft/runtime"
)

var compareVerb = verb{
	name: "compare", args: "A B", short: "run two models on the same input and compare what they give",
	long: "Equal means |a-b| <= atol + rtol*max|a| for every output; exit code 1 when they are not. Inputs that --inputs does\n" +
		"not give are made up from --seed: N(0,1) for floats, integers in the range that they index.\n" +
		"--layers also compares the values inside that have one name in both, and names the first that departs.",
	examples: []string{
		"graft compare model.onnx converted.onnx",
		"graft compare model.onnx half.onnx --atol 1e-2 --inputs batch.npz --layers",
	},
	groups: readsModel | runsModel,
	flags: []cli.Flag{
		text("inputs", "FILE.npz", "inputs by name; .npz, .safetensors, or .npy for an only input"),
		dimFlag(),
		number("atol", "X", between(0, 1e9), 1e-5, "absolute tolerance"),
		number("rtol", "X", between(0, 1e9), 1e-5, "tolerance relative to the largest element of A's output"),
		toggle("layers", "compare values inside the models too"),
	},
	run: runCompare,
}

// compared is the document of graft compare --json. FirstDeparture is the name of the first value, in A's order, that is
// not equal; it is there under --layers when one is.
type compared struct {
	executed
	Equal          bool                 `json:"equal"`
	ATol           float64              `json:"atol"`
	RTol           float64              `json:"rtol"`
	Outputs        []runtime.Difference `json:"outputs"`
	MaxAbs         runtime.Real         `json:"max_abs"`
	Layers         []runtime.Difference `json:"layers,omitempty"`
	FirstDeparture string               `json:"first_departure,omitempty"`
	DepartureNode  *layerNode           `json:"departure_node,omitempty"` // A's node that makes it
}

// side is one of the two models.
type side struct {
	path  string
	model *onnx.Model
}

func runCompare(c *call) error {
	sides, err := c.loadSides()
	if err != nil {
		return err
	}
	feeds, err := c.commonFeeds(sides)
	if err != nil {
		return err
	}
	var results [2]map[string]*onnx.Tensor
	for i, s := range sides {
		if results[i], err = c.runSide(s, feeds); err != nil {
			return err
		}
	}
	if renamed := pairByPlace(sides, results[1]); renamed != nil {
		c.Say("the outputs have other names and are compared in order")
		results[1] = renamed
	}
	tol := runtime.Tolerance{Abs: c.Float("atol"), Rel: c.Float("rtol")}
	got := runtime.Compare(results[0], results[1], tol)
	doc := compared{Equal: got.Equal, ATol: tol.Abs, RTol: tol.Rel, Outputs: inOrder(got.Outputs, sides[0].model.Graph), MaxAbs: got.MaxAbs}
	if c.Bool("layers") {
		if doc.Layers, err = c.compareLayers(sides, feeds, tol); err != nil {
			return err
		}
		if i := slices.IndexFunc(doc.Layers, func(d runtime.Difference) bool { return !d.Equal }); i >= 0 {
			doc.FirstDeparture = doc.Layers[i].Name
		} else if i := slices.IndexFunc(doc.Outputs, func(d runtime.Difference) bool { return !d.Equal }); i >= 0 {
			doc.FirstDeparture = doc.Outputs[i].Name
		}
		doc.DepartureNode = layerNodeOf(sides[0].model.Graph, doc.FirstDeparture)
	}
	doc.executed = c.executed()
	c.JSON(doc)
	c.printComparison(doc)
	if !doc.Equal {
		return no(fmt.Sprintf("%s and %s differ: max |a-b| is %.3g", sides[0].path, sides[1].path, float64(doc.MaxAbs)))
	}
	return nil
}

// commonFeeds gives every input of either model a tensor, one for both where they share a name.
func (c *call) commonFeeds(sides [2]side) (map[string]*onnx.Tensor, error) {
	feeds := map[string]*onnx.Tensor{}
	if path := c.Text("inputs"); path != "" {
		names := feedNames(sides[0].model.Graph)
		for _, n := range feedNames(sides[1].model.Graph) {
			if !slices.Contains(names, n) {
				names = append(names, n)
			}
		}
		if err := feedsOfFile(feeds, names, path); err != nil {
			return nil, err
		}
	}
	for i, s := range sides {
		if i == 1 && feedByPlace(sides, feeds) {
			c.Say("inputs have other names and are fed in order")
		}
		if err := c.complete(s.model, s.path, feeds); err != nil {
			return nil, err
		}
	}
	return feeds, nil
}

// feedByPlace gives the inputs of b of whose name a has none what those of a take of whose name b has none, in order, where
// there are as many of the same types. It reports whether it did.
func feedByPlace(sides [2]side, feeds map[string]*onnx.Tensor) (did bool) {
	var own [2][]string
	for i, s := range sides {
		others := feedNames(sides[1-i].model.Graph)
		own[i] = slices.DeleteFunc(feedNames(s.model.Graph), func(name string) bool { return slices.Contains(others, name) })
	}
	if len(own[0]) != len(own[1]) {
		return false
	}
	for i, name := range own[1] {
		from, to := sides[0].model.Graph.Lookup(own[0][i]), sides[1].model.Graph.Lookup(name)
		if feeds[name] == nil && feeds[own[0][i]] != nil && (from.Type.DType == to.Type.DType || from.Type.DType.IsFloat() && to.Type.DType.IsFloat()) &&
			len(from.Type.Shape) == len(to.Type.Shape) {
			feeds[name], did = feeds[own[0][i]], true
		}
	}
	return did
}

// runSide opens a model, runs it on those of the feeds that it takes, and closes it.
func (c *call) runSide(s side, feeds map[string]*onnx.Tensor) (map[string]*onnx.Tensor, error) {
	session, err := c.openSession(s.model, s.path)
	if err != nil {
		return nil, err
	}
	defer session.Close()
	return c.runSession(session, s, feeds)
}

func (c *call) runSession(session *runtime.Session, s side, feeds map[string]*onnx.Tensor, outputs ...string) (map[string]*onnx.Tensor, error) {
	own, err := ownFeeds(s, feeds)
	if err != nil {
		return nil, err
	}
	results, err := session.Run(c.Context(), export.CastFeeds(s.model.Graph, own), outputs...)
	if err != nil {
		return nil, runtimeError(err, s.path)
	}
	return results, nil
}

// ownFeeds are those of the feeds that a model takes, floats in its own precision.
func ownFeeds(s side, feeds map[string]*onnx.Tensor) (map[string]*onnx.Tensor, error) {
	own := map[string]*onnx.Tensor{}
	for _, name := range feedNames(s.model.Graph) {
		t, want := feeds[name], s.model.Graph.Lookup(name).Type.DType
		if t != nil && t.DType != want && t.DType.IsFloat() && want.IsFloat() {
			var err error
			if t, err = runtime.Floats(t, want); err != nil {
				return nil, runtimeError(err, s.path)
			}
		}
		own[name] = t
	}
	return own, nil
}

// pairByPlace gives b's results the names of a's outputs when there are as many and none has a name in common; else nil.
func pairByPlace(sides [2]side, b map[string]*onnx.Tensor) map[string]*onnx.Tensor {
	first, second := sides[0].model.Graph.Outputs(), sides[1].model.Graph.Outputs()
	if len(first) != len(second) {
		return nil
	}
	renamed := map[string]*onnx.Tensor{}
	for i, v := range first {
		if b[v.Name] != nil {
			return nil
		}
		renamed[v.Name] = b[second[i].Name]
	}
	return renamed
}

// inOrder puts the differences in the order of g's outputs; those of other names follow.
func inOrder(list []runtime.Difference, g *onnx.Graph) []runtime.Difference {
	place := map[string]int{}
	for i, v := range g.Outputs() {
		place[v.Name] = i - len(g.Outputs())
	}
	slices.SortStableFunc(list, func(a, b runtime.Difference) int { return place[a.Name] - place[b.Name] })
	return list
}

func (c *call) printComparison(doc compared) {
	if len(doc.Layers) > 0 {
		c.printLayers(doc)
		c.Print("")
	}
	c.differences("output", doc.Outputs)
	if doc.FirstDeparture != "" {
		c.Print("first departure: %s", doc.FirstDeparture)
		if n := doc.DepartureNode; n != nil {
			c.Print("  made by %s %s from %s", n.Op, n.Name, strings.Join(n.Inputs, ", "))
		}
	}
	if doc.Equal {
		c.Print("equal within atol %g, rtol %g%s", doc.ATol, doc.RTol, doc.on())
	}
}

// printLayers shows the values around the first that departs, all under --verbose.
func (c *call) printLayers(doc compared) {
	const before, behind, most = 5, 5, 40
	list := doc.Layers
	first := slices.IndexFunc(list, func(d runtime.Difference) bool { return !d.Equal })
	switch {
	case c.Common.Verbose || len(list) <= most && first < 0:
	case first < 0:
		c.Print("%d values inside are equal", len(list))
		return
	default:
		list = list[max(0, first-before):min(len(list), first+behind+1)]
		if first > before {
			c.Print("%d values before these are equal", first-before)
		}
	}
	c.differences("value", list)
}

// differences prints a row for each tensor.
func (c *call) differences(what string, list []runtime.Difference) {
	t := table{Head: []string{what, "max |a-b|", "relative", "cosine", "equal", ""}}
	for _, d := range list {
		verdict := "yes"
		if !d.Equal {
			verdict = "no"
		}
		t.Add(d.Name, float64(d.MaxAbs), float64(d.MaxRel), float64(d.Cosine), verdict, d.Reason)
	}
	c.Table(t)
}
