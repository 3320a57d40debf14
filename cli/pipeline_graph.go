package cli

import (
	"io"

	"github.com/urfave/cli/v2"

	"graft/cli/pipeline"
)

var pipelineGraphVerb = verb{
	name: "graph", args: "FILE", short: "draw the steps of a pipeline and what each waits for",
	long:     "Every run of every step is drawn, with the cell of the matrix that it is for. Nothing runs.",
	examples: []string{"graft pipeline graph shrink.yaml", "graft pipeline graph shrink.yaml --format svg --out shrink.svg"},
	flags: []cli.Flag{
		choice("format", "text", "form of the drawing", "text", "dot", "svg"),
		repeated("allow", "DIR", "folder besides the pipeline's own that steps may read; repeatable"),
	},
	run: runPipelineGraph,
}

// drawn is the document of graft pipeline graph --json.
type drawn struct {
	Pipeline string     `json:"pipeline"`
	Runs     []drawnRun `json:"runs"`
	Format   string     `json:"format"`
	Drawing  string     `json:"drawing"`
}

type drawnRun struct {
	ID    string            `json:"id"`
	Step  string            `json:"step"`
	Verb  string            `json:"verb"`
	Cell  map[string]string `json:"cell,omitempty"`
	Needs []string          `json:"needs,omitempty"`
}

func runPipelineGraph(c *call) error {
	work, err := resultFolder("", c.Arg(0))
	if err != nil {
		return err
	}
	plan, err := c.readPipeline(pipeline.Places{Work: work, Allow: c.List("allow")})
	if err != nil {
		return err
	}
	doc := drawn{Pipeline: plan.File.Name, Format: c.Text("format")}
	for _, r := range plan.Runs {
		d := drawnRun{ID: r.ID, Step: r.Step.Name, Verb: r.Step.Verb, Cell: r.Cell}
		for _, n := range r.Needs {
			d.Needs = append(d.Needs, n.ID)
		}
		doc.Runs = append(doc.Runs, d)
	}
	switch doc.Format {
	case "dot":
		doc.Drawing = plan.DOT()
	case "svg":
		doc.Drawing = plan.SVG()
	default:
		doc.Drawing = plan.Text()
	}
	c.JSON(doc)
	if c.Common.JSON {
		return nil
	}
	_, err = io.WriteString(c.out, doc.Drawing)
	return err
}
