package cli

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"graft/onnx/inspect"
)

var inspectVerb = verb{
	name: "inspect", args: "FILE", short: "show what a model is made of",
	long: "Operators, parameters, zeros and multiply-accumulates (MACs), in all and layer by layer. Nothing is run, and\n" +
		"operators that graft does not know are listed like the others. A dimension without a size counts as 1.",
	examples: []string{"graft inspect model.onnx", "graft inspect model.onnx --json"},
	groups:   readsModel,
	run:      runInspect,
}

func runInspect(c *call) error {
	path := c.Arg(0)
	m, err := c.loadModel(path)
	if err != nil {
		return err
	}
	s := inspect.Describe(m)
	info, err := os.Stat(path)
	if err != nil {
		return refused(path, err)
	}
	s.Bytes = info.Size()
	c.JSON(s)
	c.Print("%s: %s, IR version %d, %s", path, size(s.Bytes), s.IRVersion, opsetText(s.Opsets))
	if s.Producer != "" {
		c.Print("made by %s", strings.TrimSpace(s.Producer+" "+s.ProducedBy))
	}
	c.Print("%d nodes: %s", s.Nodes, operatorText(s.Operators))
	c.Print("%s parameters, %s nonzero (sparsity %s), %s MACs%s", grouped(s.Parameters), grouped(s.Nonzero), percent(s.Sparsity),
		magnitude(s.MACs), freeText(s.FreeDims))
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
		layers := table{Head: []string{"layer", "operator", "parameters", "nonzero", "MACs", "weights"}}
		for _, l := range s.Layers {
			layers.Add(l.Name, l.Op, l.Parameters, l.Nonzero, l.MACs, weightText(l.Weights))
		}
		c.Table(layers)
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
	return nil
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
	names := slices.SortedFunc(maps.Keys(operators), func(a, b string) int {
		if d := operators[b] - operators[a]; d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
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
