package cli

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"graft/onnx"
	"graft/onnx/inspect"
)

var inspectVerb = verb{
	name: "inspect", args: "FILE", short: "show what a model is made of",
	long: "Operators, parameters, zeros, multiply-accumulates (MACs) and memory, in all and layer by layer. Nothing is run, and\n" +
		"operators that graft does not know are listed like the others. A dimension without a size counts as 1, or as --dim\n" +
		"says. --html writes a page that shows the graph, to be moved, zoomed and searched.",
	examples: []string{"graft inspect model.onnx", "graft inspect model.onnx --dim batch=8 --json", "graft inspect model.onnx --html model.html"},
	groups:   readsModel,
	flags: []cli.Flag{
		repeated("dim", "NAME=N", "size of a free dimension; repeatable"),
		text("html", "FILE", "write a page with the graph, which needs nothing else"),
		text("dot", "FILE", "write the graph for Graphviz"),
	},
	run: runInspect,
}

func runInspect(c *call) error {
	path := c.Arg(0)
	dims, err := c.freeDims()
	if err != nil {
		return err
	}
	for _, flag := range []string{"html", "dot"} {
		if file := c.Text(flag); file != "" {
			if err := mayWrite(file, c.Common.Force); err != nil {
				return err
			}
		}
	}
	files := externalFiles{}
	m, err := onnx.Load(path, onnx.LoadOptions{AllowExternal: c.Common.AllowExternal, External: files.add})
	if err != nil {
		return refused(path, err)
	}
	inspect.SetDims(m, dims)
	s := inspect.Describe(m)
	s.External = files.list()
	info, err := os.Stat(path)
	if err != nil {
		return refused(path, err)
	}
	s.Bytes = info.Size()
	if err := c.drawModel(m, s, path); err != nil {
		return err
	}
	c.JSON(s)
	c.printModel(path, s)
	return nil
}

// externalFiles gathers what a model keeps in which file: the parts that its tensors lie in.
type externalFiles map[string]map[[2]int64]bool

func (f externalFiles) add(location string, offset, length int64) {
	if f[location] == nil {
		f[location] = map[[2]int64]bool{}
	}
	f[location][[2]int64{offset, length}] = true
}

func (f externalFiles) list() []inspect.External {
	list := []inspect.External{}
	for _, name := range slices.Sorted(maps.Keys(f)) {
		e := inspect.External{Location: name, Tensors: len(f[name])}
		for part := range f[name] {
			e.Bytes += part[1]
		}
		list = append(list, e)
	}
	return list
}

func (c *call) printModel(path string, s *inspect.Summary) {
	c.Print("%s: %s, IR version %d, %s", path, size(s.Bytes), s.IRVersion, opsetText(s.Opsets))
	if s.Producer != "" {
		c.Print("made by %s", strings.TrimSpace(s.Producer+" "+s.ProducedBy))
	}
	c.Print("%d nodes: %s", s.Nodes, operatorText(s.Operators))
	c.Print("%s parameters, %s nonzero (sparsity %s), %s MACs%s", grouped(s.Parameters), grouped(s.Nonzero), percent(s.Sparsity),
		magnitude(s.MACs), freeText(s.FreeDims))
	c.Print("memory: %s", memoryText(s))
	for _, d := range s.Symbols {
		c.Print("free dimension %s: %s", d.Name, few(d.Ports))
	}
	for _, e := range s.External {
		c.Print("weights in %s: %s, %s", e.Location, counted(e.Tensors, "tensor"), size(e.Bytes))
	}
	c.Print("")
	ports := table{Head: []string{"", "name", "type", "shape"}}
	for _, p := range s.Inputs {
		ports.Add("input", p.Name, p.DType, shapeText(p.Shape))
	}
	for _, p := range s.Outputs {
		ports.Add("output", p.Name, p.DType, shapeText(p.Shape))
	}
	c.Table(ports)
	if len(s.Layers) > 0 {
		c.Print("")
		c.Table(layerTable(s))
	}
	if len(s.Metadata) > 0 {
		c.Print("")
		for _, key := range slices.Sorted(maps.Keys(s.Metadata)) {
			c.Print("%s: %s", key, shortened(s.Metadata[key]))
		}
	}
	for _, name := range s.Unknown {
		c.Detail("no shape rule for %s", name)
	}
}

func layerTable(s *inspect.Summary) table {
	layers := table{Head: []string{"layer", "operator", "output", "type", "parameters", "nonzero", "sparsity", "MACs", "weights"}}
	for _, l := range s.Layers {
		sparsity := ""
		if l.Parameters > 0 {
			sparsity = percent(l.Sparsity)
		}
		layers.Add(l.Name, l.Op, shapeText(l.Output), l.DType, l.Parameters, l.Nonzero, sparsity, l.MACs, weightText(l.Weights))
	}
	return layers
}

// memoryText is "weights 1.2 MB (float32 1.2 MB), activations 340 kB at conv1".
func memoryText(s *inspect.Summary) string {
	var kinds []string
	for _, name := range slices.Sorted(maps.Keys(s.DTypes)) {
		kinds = append(kinds, name+" "+size(s.DTypes[name]))
	}
	text := "weights " + size(s.Memory.Weights)
	if len(kinds) > 0 {
		text += " (" + strings.Join(kinds, ", ") + ")"
	}
	text += ", activations " + size(s.Memory.Activations)
	if s.Memory.At != "" {
		text += " at " + s.Memory.At
	}
	if s.Memory.Unknown > 0 {
		text += ", without " + counted(s.Memory.Unknown, "value") + " of unknown size"
	}
	return text
}

func opsetText(opsets map[string]int64) string {
	parts := make([]string, 0, len(opsets))
	for _, domain := range slices.Sorted(maps.Keys(opsets)) {
		if domain == "ai.onnx" {
			parts = append([]string{fmt.Sprintf("opset %d", opsets[domain])}, parts...)
		} else {
			parts = append(parts, fmt.Sprintf("%s %d", domain, opsets[domain]))
		}
	}
	return strings.Join(parts, ", ")
}

// operatorText lists the operators, the most frequent first.
func operatorText(operators map[string]int) string {
	names := byCount(operators)
	const shown = 12
	parts := []string{}
	for _, name := range names[:min(shown, len(names))] {
		parts = append(parts, fmt.Sprintf("%d %s", operators[name], name))
	}
	if n := len(names) - shown; n > 0 {
		parts = append(parts, fmt.Sprintf("%d more", n))
	}
	return strings.Join(parts, ", ")
}

// few joins the first of a list.
func few(list []string) string {
	const most = 6
	if n := len(list) - most; n > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(list[:most], ", "), n)
	}
	return strings.Join(list, ", ")
}

// byCount are the names, those that occur most often first.
func byCount(operators map[string]int) []string {
	return slices.SortedFunc(maps.Keys(operators), func(a, b string) int {
		if d := operators[b] - operators[a]; d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
}

func freeText(dims []string) string {
	if len(dims) == 0 {
		return ""
	}
	return " at " + strings.Join(dims, " = ") + " = 1"
}

// shortened cuts a value for one line.
func shortened(s string) string {
	const longest = 100
	if len(s) > longest {
		return strings.ToValidUTF8(s[:longest], "") + "..."
	}
	return s
}

// weightText is the first weight's name and how many more there are.
func weightText(names []string) string {
	switch len(names) {
	case 0:
		return ""
	case 1:
		return names[0]
	}
	return fmt.Sprintf("%s +%d", names[0], len(names)-1)
}
