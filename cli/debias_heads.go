package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	net "graft/graphs/language"
	"graft/onnx/limits"
	"graft/training/prosocial"
)

// sectionHeads is that of flags of methods that take heads of attention out.
const sectionHeads = "Heads of attention"

// debiasHeads are the methods that take heads of attention out.
var debiasHeads = []debiasMethod{
	{name: "head-mask", doc: "heads of attention do nothing any more: what they give is multiplied by zero; all sizes stay (Michel et al. 2019)",
		flags: append(headFlags(), toggle("gates", "leave the weights, and put gates head_gates.N into the network, zero for these heads").under(sectionHeads)),
		check: checkHeads, run: runHeadMask},
	{name: "head-removal", doc: "the same heads are cut out of the weights: the model is smaller, and gives what the masked one gives",
		flags: headFlags(), check: checkHeads, run: runHeadRemoval},
}

func headFlags() []cli.Flag {
	return []cli.Flag{
		list("heads", "LIST", "heads as LAYER.HEAD, both from 0: 0.3,1.2").under(sectionHeads),
		text("heads-from", "FILE", "take the heads of the highest scores from what graft heads --json wrote").under(sectionHeads),
		choice("by", prosocial.ScoreLog, "which score of --heads-from", prosocial.ScoreNames()...).under(sectionHeads),
		integer("top", "N", 1, 1<<16, 1, "how many heads of --heads-from, of those that score above 0").under(sectionHeads),
	}
}

// headsReport is what graft debias --json says of heads that are taken out.
type headsReport struct {
	Heads  []string `json:"heads"`
	Left   int      `json:"heads_left"`
	Before int64    `json:"parameters_before"`
	After  int64    `json:"parameters_after"` // that are not zero because of it
	Gates  bool     `json:"gates,omitempty"`  // in the file, and not in weights
}

func checkHeads(c *call) error {
	given, from := c.IsSet("heads"), c.Text("heads-from") != ""
	switch {
	case given == from:
		return misuse("--heads or --heads-from: one of them says which heads go")
	case given && (c.IsSet("by") || c.IsSet("top")):
		return misuse("--by and --top are of --heads-from")
	case c.Text("method") == "head-mask" && c.Bool("gates") && c.Text("to") == toHuggingFace:
		return misuse("--gates: --to %s has weights alone", toHuggingFace)
	}
	for _, h := range c.List("heads") {
		if _, err := prosocial.ParseHead(h); err != nil {
			return misuse("--heads: %v", err)
		}
	}
	return nil
}

// headsChosen are those of --heads or --heads-from.
func (c *call) headsChosen() (heads []prosocial.Head, err error) {
	for _, s := range c.List("heads") {
		h, err := prosocial.ParseHead(s)
		if err != nil {
			return nil, misuse("--heads: %v", err)
		}
		if !slices.Contains(heads, h) {
			heads = append(heads, h)
		}
	}
	path := c.Text("heads-from")
	if path == "" {
		return heads, nil
	}
	data, err := readText(path)
	if err != nil {
		return nil, err
	}
	scores, err := prosocial.ReadHeadScores([]byte(data))
	if err != nil {
		return nil, refused(path, limits.InFile(path, err))
	}
	if heads, err = prosocial.TopHeads(scores, c.Text("by"), c.Int("top")); err != nil {
		return nil, refused(path, err)
	}
	if len(heads) == 0 {
		return nil, &Error{File: path, Code: exitInput, Reason: fmt.Sprintf("no head has a score %s above 0", c.Text("by")), Hint: "--by names another score, --heads the heads themselves"}
	}
	return heads, nil
}

func runHeadMask(d *debiasing) error {
	return d.takeHeads(func(heads []prosocial.Head) (*prosocial.Network, error) {
		masked, err := d.network.Masked(heads)
		if err != nil || !d.Bool("gates") {
			return masked, err
		}
		o := &d.source.Options
		o.Gates, o.Closed = net.GatesFixed, map[int64][]int64{}
		for _, h := range heads {
			o.Closed[int64(h.Layer)] = append(o.Closed[int64(h.Layer)], int64(h.Head))
		}
		return d.network, nil
	})
}

func runHeadRemoval(d *debiasing) error {
	return d.takeHeads(d.network.Removed)
}

// takeHeads changes the network by its heads, and tells of it.
func (d *debiasing) takeHeads(take func([]prosocial.Head) (*prosocial.Network, error)) error {
	heads, err := d.headsChosen()
	if err != nil {
		return err
	}
	parameters := func(n *prosocial.Network) (total int64, err error) {
		list, err := n.Config.Parameters(d.source.Options)
		for _, p := range list {
			total += n.Weights[p.Name].Len()
		}
		return total, err
	}
	report := &headsReport{Gates: d.Bool("gates")}
	if report.Before, err = parameters(d.network); err != nil {
		return err
	}
	removed, err := d.network.Removed(heads)
	if err != nil {
		return &Error{File: d.Arg(0), Err: err, Code: exitInput, Hint: "heads are LAYER.HEAD, both counted from 0"}
	}
	if report.After, err = parameters(removed); err != nil {
		return err
	}
	report.Left = len(removed.Heads())
	if d.network, err = take(heads); err != nil {
		return err
	}
	for _, h := range heads {
		report.Heads = append(report.Heads, h.String())
	}
	d.report = report
	d.lines = append(d.lines, fmt.Sprintf("heads %s out, %d left; %s of %s parameters count", strings.Join(report.Heads, ", "), report.Left, grouped(report.After), grouped(report.Before)))
	return nil
}
