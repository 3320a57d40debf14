package runtime

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Placement says where the nodes of a session run.
type Placement struct {
	Provider string     // full name
	Fallback []Fallback // operators that the provider leaves to the CPU, most nodes first; none when it is the CPU's
	Chosen   int        // nodes that the provider could run and that ONNX Runtime keeps on the CPU: arithmetic on shapes
}

// Fallback is an operator that runs on the CPU although another provider was asked for. Its nodes are those of the graph
// as ONNX Runtime's basic optimizations leave it; a node without a name is "".
type Fallback struct {
	Operator string   `json:"operator"` // "LogSoftmax", "com.microsoft::Gelu"
	Nodes    []string `json:"nodes"`
}

// assigned is where ONNX Runtime has put a node.
type assigned struct{ provider, domain, operator, name string }

// placementOf sorts the nodes of a session out. chosen are the names of those that ONNX Runtime keeps on the CPU by choice.
func placementOf(provider string, nodes []assigned, chosen map[string]bool) Placement {
	p := Placement{Provider: provider}
	if provider == CPU {
		return p
	}
	byOperator := map[string]int{}
	for _, n := range nodes {
		switch {
		case n.provider != CPU:
			continue
		case chosen[n.name]:
			p.Chosen++
			continue
		}
		operator := n.operator
		if n.domain != "" && n.domain != "ai.onnx" {
			operator = n.domain + "::" + n.operator
		}
		at, known := byOperator[operator]
		if !known {
			at = len(p.Fallback)
			byOperator[operator] = at
			p.Fallback = append(p.Fallback, Fallback{Operator: operator})
		}
		p.Fallback[at].Nodes = append(p.Fallback[at].Nodes, n.name)
	}
	slices.SortFunc(p.Fallback, func(a, b Fallback) int {
		return cmp.Or(len(b.Nodes)-len(a.Nodes), strings.Compare(a.Operator, b.Operator))
	})
	return p
}

// FallbackText is a list of operators with the first nodes of each: `Sum (16: "a", "b", "c", ...), LogSoftmax ("d")`.
func FallbackText(list []Fallback) string {
	const shown = 3
	parts := make([]string, len(list))
	for i, f := range list {
		names := make([]string, 0, shown)
		for _, n := range f.Nodes {
			if n != "" && len(names) < shown {
				names = append(names, fmt.Sprintf("%q", oneLine(n)))
			}
		}
		text := strings.Join(names, ", ")
		if len(f.Nodes) > len(names) && len(names) > 0 {
			text += ", ..."
		}
		if len(f.Nodes) > 1 && text != "" {
			text = fmt.Sprintf("%d: %s", len(f.Nodes), text)
		} else if text == "" {
			text = fmt.Sprint(len(f.Nodes))
		}
		parts[i] = fmt.Sprintf("%s (%s)", oneLine(f.Operator), text)
	}
	return strings.Join(parts, ", ")
}

// strictError is what a strict session answers when nodes would run on the CPU; nil when none would.
func (p Placement) strictError() error {
	if len(p.Fallback) == 0 {
		return nil
	}
	return &MissingError{
		What: fmt.Sprintf("open session: %s leaves operators to the CPU: %s", p.Provider, FallbackText(p.Fallback)),
		Fix:  "leave --strict-provider out, and they run on the CPU",
	}
}
