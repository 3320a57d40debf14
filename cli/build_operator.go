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
	{Name: "analysis-filters", Short: "denoiser of pictures as a whole by convolutions: learned filters of --operator FILE, or fixed ones", Presets: map[string]graphs.Network{
		"paper": analysis.Filters{}, "differences": analysis.Filters{Operator: analysis.Differences(2), Beta: 0.03}, "dct": analysis.Filters{Operator: analysis.DCT(3), Beta: 0.03}}},
	{Name: "analysis-signals", Short: "denoiser of signals as long as the rows of an analysis operator, of --operator FILE", Presets: map[string]graphs.Network{"paper": analysis.Signals{}}},
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

// operatorOf is where a denoiser has its operator and its strength; nil of other networks. with gives the denoiser others.
func operatorOf(n graphs.Network) (o *analysis.Operator, beta *float64, with func() graphs.Network) {
	switch n := n.(type) {
	case analysis.Patches:
		return &n.Operator, &n.Beta, func() graphs.Network { return n }
	case analysis.Filters:
		return &n.Operator, &n.Beta, func() graphs.Network { return n }
	case analysis.Signals:
		return &n.Operator, &n.Beta, func() graphs.Network { return n }
	}
	return nil, nil, nil
}

// withOperator gives a denoiser its operator, and the file's beta where --set says none.
func (c *call) withOperator(n graphs.Network) (graphs.Network, error) {
	operator, strength, with := operatorOf(n)
	path := c.Text("operator")
	switch {
	case operator == nil && path != "":
		return nil, misuse("--operator is for the networks analysis, analysis-filters and analysis-signals, not for %s", c.Arg(0))
	case operator == nil, path == "" && operator.W != nil:
		return n, nil
	case path == "":
		return nil, &Error{Reason: fmt.Sprintf("network %s needs --operator FILE", c.Arg(0)), Hint: "or a fixed operator: --preset differences, --preset dct", Code: exitUsage}
	}
	o, beta, err := readOperator(path)
	if err != nil {
		return nil, err
	}
	set := slices.ContainsFunc(c.List("set"), func(s string) bool { return strings.HasPrefix(strings.ToLower(s), "beta=") })
	if !set && beta == nil && *strength == 0 {
		return nil, &Error{Reason: fmt.Sprintf("%s has no beta", quote(path)), Hint: "say it: --set beta=0.1", Code: exitUsage}
	}
	if *operator = o; beta != nil && !set {
		*strength = *beta
	}
	return with(), nil
}
