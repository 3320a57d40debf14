package cli

import (
	"github.com/urfave/cli/v2"

	"graft/training/bilevel"
)

var bilevelForms = []string{"free", "orthonormal", "tight", "convolution"}

// formFlags say what W is made of and what it begins as: at most so many rows or filters, filters of so many samples
// without --filter.
func formFlags(section string, most, filter int64) []cli.Flag {
	return []cli.Flag{
		choice("form", "free", "what W is made of", bilevelForms...).under(section),
		integer("rows", "N", 1, most, 0, "rows of W; as many as samples without it").under(section),
		integer("filters", "N", 1, most, 2, "filters of a convolution").under(section),
		integer("filter", "N", 3, 11, filter, "samples of a filter, along each axis").under(section),
		choice("start", "identity", "what W begins as: the identity without its mean, or random rows", "identity", "random").under(section),
	}
}

// chosenForm is what --form, --rows, --filters and --filter ask for over signals of n samples, or over squares of side by side pixels, and
// what --start and --rule say.
func (c *call) chosenForm(n, side int) (form bilevel.Form, start bilevel.Start, rule bilevel.Rule, err error) {
	rows := c.Int("rows")
	if rows == 0 {
		rows = n
	}
	name := c.Text("form")
	if name != "convolution" {
		for _, flag := range []string{"filters", "filter"} {
			if c.IsSet(flag) {
				return nil, 0, 0, misuse("--%s goes with --form convolution", flag)
			}
		}
	}
	switch name {
	case "free":
		form = bilevel.Free{Rows: rows, Cols: n}
	case "orthonormal":
		form = bilevel.Orthonormal{Rows: rows, Cols: n}
	case "tight":
		form = bilevel.TightFrame{Rows: rows, Cols: n}
	case "convolution":
		if c.IsSet("rows") {
			return nil, 0, 0, misuse("--rows: a convolution has as many as its filters have places: --filters and --filter")
		}
		f := bilevel.Convolution{Filters: c.Int("filters"), Width: c.Int("filter"), Signal: []int{n}, Extended: true, Centred: true}
		if side > 0 { // the exported model has filters where they lie inside a picture
			f.Signal, f.Extended = []int{side, side}, false
		}
		form = f
	}
	if c.Text("start") == "identity" {
		start = bilevel.CentredIdentity
	}
	if rule, err = bilevel.ParseRule(c.Text("rule")); err != nil {
		return nil, 0, 0, misuse("--rule: %v", err)
	}
	return form, start, rule, nil
}

// begins refuses a form that has no beginning, such as a signal smaller than a filter.
func begins(c *call, form bilevel.Form, start bilevel.Start) error {
	if _, err := form.Begin(start, 1, 0); err != nil {
		return misuse("--form %s: %v", c.Text("form"), err)
	}
	return nil
}
