package cli

import (
	"fmt"
	"slices"
	"strings"

	"graft/graphs"
	"graft/graphs/analysis"
)

// networks are all that build makes: the catalog's, and denoisers from an analysis operator.
var networks = slices.Concat(graphs.Catalog, []graphs.Entry{
	{Name: "analysis", Short: "denoiser of patches by an analysis operator: a learned one of --operator FILE, or a fixed one", Presets: map[string]graphs.Network{
		"paper": analysis.Patches{}, "differences": analysis.Patches{Operator: analysis.Differences(8), Beta: 0.08},
		"dct": analysis.Patches{Operator: analysis.DCT(8), Beta: 0.15}}},
})

// findNetwork looks a network up.
func findNetwork(name string) (graphs.Entry, error) {
	i := slices.IndexFunc(networks, func(e graphs.Entry) bool { return e.Name == name })
	if i < 0 {
		names := make([]string, len(networks))
		for i, e := range networks {
			names[i] = e.Name
		}
		return graphs.Entry{}, misuse("unknown network %q: there are %s%s", name, strings.Join(names, ", "), didYouMean(nearest(name, names)))
	}
	return networks[i], nil
}

// withOperator gives a denoiser its operator, and the file's beta where --set says none.
func (c *call) withOperator(n graphs.Network) (graphs.Network, error) {
	path := c.Text("operator")
	p, ok := n.(analysis.Patches)
	switch {
	case !ok && path != "":
		return nil, misuse("--operator is for the network analysis, not for %s", c.Arg(0))
	case ok && path == "" && p.Operator.W == nil:
		return nil, &Error{Reason: fmt.Sprintf("network %s needs --operator FILE", c.Arg(0)), Hint: "or a fixed operator: --preset differences, --preset dct", Code: exitUsage}
	case path == "":
		return n, nil
	}
	o, beta, err := readOperator(path)
	if err != nil {
		return nil, err
	}
	p.Operator = o
	set := slices.ContainsFunc(c.List("set"), func(s string) bool { return strings.HasPrefix(strings.ToLower(s), "beta=") })
	if beta != nil && !set {
		p.Beta = *beta
	}
	if !set && beta == nil && p.Beta == 0 {
		return nil, &Error{Reason: fmt.Sprintf("%s has no beta", quote(path)), Hint: "say it: --set beta=0.1", Code: exitUsage}
	}
	return p, nil
}
