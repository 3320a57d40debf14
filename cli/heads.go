package cli

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"graft/training/metric/bias"
	"graft/training/prosocial"
)

// The ways in which heads are scored.
const (
	byMediation = "mediation"
	byAblation  = "ablation"
	byGradients = "gradients"
	byWidths    = "widths"
)

var headScoring = []string{byMediation, byAblation, byGradients, byWidths}

var headsVerb = verb{
	name: "heads", args: "MODEL", short: "score the heads of attention by what they do for stereotypes of occupations",
	long: `Asks a language model for "he" or "she" of occupations, in templates as "The nurse said that", and scores every head of attention:

  mediation   how far the answer changes where the head makes what it makes for another occupation, or for a man or a woman: natural
              indirect effects by ratios (nie) and by logarithms (log_nie) (Vig et al. 2020)
  ablation    how far log p(stereotype)/p(anti-stereotype) falls without the head (ablation), and the mean over words of its magnitude
              (ablation_bias)
  gradients   the head's part of log p(stereotype)/p(anti-stereotype), by integrated gradients over gates from 0 to 1 (ig)
  widths      how wide a PAC-Bayes posterior around the head's weights is after --steps on --text (sigma): narrow where they matter

MODEL is a folder of Hugging Face or of graft convert, or a .gguf file: a decoder, or a model that fills masks. --out is a folder: the
scores as heads.json, which graft debias --heads-from takes, and as layers of heads, an .svg a score and report.html.`,
	examples: []string{
		"graft heads smollm2/",
		"graft heads smollm2/ --scores mediation,ablation --occupations 10 --out heads/",
		"graft heads bert/ --intervention gender --json",
		"graft heads bert/ --scores widths --text corpus.txt --steps 500 --out widths/",
	},
	groups: writes | runsModel,
	flags: []cli.Flag{
		list("scores", "LIST", "ways to score, joined by commas: "+strings.Join(headScoring, ", ")+" (default: the first three)"),
		integer("top", "N", 1, 1<<16, 10, "heads that are shown"),
		integer("occupations", "N", 1, 1<<16, 20, "how many occupations, men's and women's in turn").under(sectionPrompts),
		text("list", "FILE", "occupations in debiaswe's layout: [word, gender by definition, gender by stereotype]").under(sectionPrompts),
		integer("templates", "N", 1, int64(prosocial.PromptTemplates()), 2, "in how many templates").under(sectionPrompts),
		choice("intervention", string(prosocial.OtherOccupation), "what stands in the place of an occupation: another one, or a man or woman", string(prosocial.OtherOccupation), string(prosocial.OtherGender)).under(sectionPrompts),
		integer("nodes", "N", 1, 1<<12, 4, "nodes of the integral, on each interval").under(sectionGradients),
		integer("halvings", "N", 0, 24, 16, "how often an interval is halved where the parts' sum is more than 0.01 off").under(sectionGradients),
		choice("path", string(prosocial.EachLayers), "which gates open together: of one layer after the other, or of all", string(prosocial.EachLayers), string(prosocial.AllHeads)).under(sectionGradients),
		repeated("text", "FILE", "text, a sample in each line; repeatable").under(sectionWidths),
		integer("steps", "N", 1, 1<<40, 200, "steps of learning").under(sectionWidths),
		integer("batch", "N", 1, 1<<16, 8, "lines of a step").under(sectionWidths),
		integer("length", "N", 2, 1<<20, 128, "tokens that are taken of a line").under(sectionWidths),
		number("gamma", "X", above(0, 1e6), 10, "gamma of the bound").under(sectionWidths),
		languageFlag("tokenizer"), languageFlag("task"),
	},
	run: runHeads,
}

// Headings of the flags of graft heads.
const (
	sectionPrompts   = "Prompts"
	sectionGradients = "Integrated gradients"
	sectionWidths    = "Posterior widths"
)

// languageFlag is one of graft convert's.
func languageFlag(name string) cli.Flag {
	return languageFlags[slices.IndexFunc(languageFlags, func(f cli.Flag) bool { return f.Names()[0] == name })]
}

// headsDoc is the document of graft heads --json, and heads.json.
type headsDoc struct {
	executed
	Model        string                `json:"model"`
	Task         string                `json:"task"`
	Layers       int64                 `json:"layers"`
	HeadsALayer  int64                 `json:"heads_a_layer"` // before any was removed
	Intervention string                `json:"intervention,omitempty"`
	Prompts      int                   `json:"prompts"`
	Words        int                   `json:"words"`
	Unused       []unusedWord          `json:"unused,omitempty"`
	Signed       *float64              `json:"signed,omitempty"` // mean over words of log p(stereotype)/p(anti-stereotype)
	Bias         *float64              `json:"bias,omitempty"`   // and of its magnitude
	TotalRatio   *float64              `json:"te,omitempty"`     // total effect of the intervention
	TotalLog     *float64              `json:"log_te,omitempty"`
	Gradients    *headsGradients       `json:"gradients,omitempty"`
	Scores       []string              `json:"scores"`
	Heads        []prosocial.HeadScore `json:"heads"`
	Seconds      float64               `json:"seconds"`
}

// headsGradients say how complete integrated gradients are.
type headsGradients struct {
	Path   string    `json:"path"`
	Nodes  int       `json:"nodes"`  // on each interval
	Open   float64   `json:"open"`   // the measure with all gates at 1
	Closed []float64 `json:"closed"` // and with those of the path at 0
	Sums   []float64 `json:"sums"`   // of the parts along each path
	Gap    float64   `json:"gap"`    // how far the sum of the parts is from the difference of these at most
}

// headsRun is a run of graft heads.
type headsRun struct {
	debiasing
	doc    headsDoc
	task   string
	scores map[prosocial.Head]map[string]float64
}

func runHeads(c *call) error {
	ways := c.List("scores")
	if len(ways) == 0 {
		ways = headScoring[:3]
	}
	for i, way := range ways {
		switch {
		case !slices.Contains(headScoring, way):
			return misuse("--scores: no such way to score: %s (%s)%s", quote(way), strings.Join(headScoring, ", "), didYouMean(nearest(way, headScoring)))
		case slices.Contains(ways[:i], way):
			return misuse("--scores names %s twice", way)
		}
	}
	if widths := slices.Contains(ways, byWidths); widths != (len(c.List("text")) > 0) {
		return misuse("--scores %s goes with --text", byWidths)
	}
	begun := time.Now()
	r := &headsRun{debiasing: debiasing{call: c}, scores: map[prosocial.Head]map[string]float64{}}
	if err := r.read(c.Arg(0)); err != nil {
		return err
	}
	defer r.source.Close()
	if err := r.begin(); err != nil {
		return err
	}
	if err := r.score(ways); err != nil {
		return err
	}
	r.finish()
	r.doc.executed, r.doc.Seconds = c.executed(), time.Since(begun).Seconds()
	if c.Out() != "" && !c.Common.DryRun {
		if err := c.writeHeads(&r.doc); err != nil {
			return err
		}
	}
	c.JSON(&r.doc)
	c.printHeads(&r.doc)
	return nil
}

// begin looks at what was read.
func (r *headsRun) begin() error {
	c, config := r.call, r.network.Config
	var err error
	if r.task, err = r.wordTask("scoring heads"); err != nil {
		return err
	}
	r.doc = headsDoc{Model: c.Arg(0), Task: r.task, Layers: config.NumHiddenLayers, HeadsALayer: config.NumAttentionHeads}
	all := r.network.Heads()
	if len(all) == 0 {
		return &Error{File: c.Arg(0), Code: exitInput, Reason: "has no heads of attention any more"}
	}
	for _, h := range all {
		r.scores[h] = map[string]float64{}
	}
	return nil
}

// add takes a score of a head in.
func (r *headsRun) add(name string, h prosocial.Head, x float64) {
	if !slices.Contains(r.doc.Scores, name) {
		r.doc.Scores = append(r.doc.Scores, name)
	}
	r.scores[h][name] = x
}

func (r *headsRun) score(ways []string) error {
	var prompts []prosocial.Prompt
	if slices.ContainsFunc(ways, func(way string) bool { return way != byWidths }) {
		var err error
		if prompts, err = r.prompts(); err != nil {
			return err
		}
	}
	for _, way := range ways {
		total := len(prompts)
		if way == byWidths {
			total = r.Int("steps")
		}
		r.Progress().Stage(way, total)
		told := func(n int) { r.Progress().Step(n, "") }
		if r.Common.DryRun {
			continue
		}
		err := map[string]func(context.Context, []prosocial.Prompt, func(int)) error{
			byMediation: r.mediate, byAblation: r.ablate, byGradients: r.attribute, byWidths: r.widen,
		}[way](r.Context(), prompts, told)
		r.Progress().Done()
		if err != nil {
			if r.Context().Err() != nil {
				return err
			}
			return textError(err, r.Arg(0))
		}
	}
	return nil
}

// longestPrompt bounds the tokens of a prompt.
const longestPrompt = 512

// unusedWord is an occupation that no prompt was made of.
type unusedWord struct {
	Word   string `json:"word"`
	Reason string `json:"reason"`
}

// prompts are those of occupations, as many of men as of women.
func (r *headsRun) prompts() ([]prosocial.Prompt, error) {
	most := r.Int("occupations")
	men, women := prosocial.Occupations()
	men, women = men[:min(len(men), most/2)], women[:min(len(women), most/2)]
	if path := r.Text("list"); path != "" {
		listed, skips, err := bias.ReadOccupations(path)
		if err != nil {
			return nil, refused(path, err)
		}
		for _, s := range skips.Rows {
			r.doc.Unused = append(r.doc.Unused, unusedWord{s.Row, s.Reason})
		}
		men, women = prosocial.Stereotyped(listed, most)
	}
	by := prosocial.Intervention(r.Text("intervention"))
	e := r.network.Encoder(r.tokenizer, longestPrompt)
	p, err := e.Prompts(men, women, by, r.Int("templates"))
	if err != nil {
		return nil, &Error{File: r.Arg(0), Err: err, Code: exitInput, Hint: "--list has other occupations, --intervention another intervention"}
	}
	for _, word := range p.Left {
		r.doc.Unused = append(r.doc.Unused, unusedWord{word, "nothing that is put in its place has as many tokens, or no token tells the pronouns apart"})
	}
	r.doc.Intervention, r.doc.Prompts, r.doc.Words = string(by), len(p.Prompts), len(p.Names)
	return p.Prompts, nil
}

func (r *headsRun) mediate(ctx context.Context, prompts []prosocial.Prompt, told func(int)) error {
	m, err := r.network.NewMediator(r.task, r.runtimeOptions())
	if err != nil {
		return err
	}
	defer m.Close()
	e, err := m.EffectsTold(ctx, prompts, told)
	if err != nil {
		return err
	}
	r.doc.TotalRatio, r.doc.TotalLog = &e.Ratio, &e.Log
	for _, h := range e.Heads {
		r.add(prosocial.ScoreLog, h.Head, h.Log)
		r.add(prosocial.ScoreRatio, h.Head, h.Ratio)
	}
	return nil
}

func (r *headsRun) ablate(ctx context.Context, prompts []prosocial.Prompt, told func(int)) error {
	m, err := r.network.NewMediator(r.task, r.runtimeOptions())
	if err != nil {
		return err
	}
	defer m.Close()
	a, err := m.Ablate(ctx, prompts, told)
	if err != nil {
		return err
	}
	r.doc.Signed, r.doc.Bias = &a.Signed, &a.Bias
	for _, h := range a.Heads {
		r.add(prosocial.ScoreAblation, h.Head, h.Signed)
		r.add(prosocial.ScoreAblationBias, h.Head, h.Bias)
	}
	return nil
}

func (r *headsRun) attribute(ctx context.Context, prompts []prosocial.Prompt, told func(int)) error {
	a, err := r.network.NewAttributor(r.task, r.runtimeOptions())
	if err != nil {
		return err
	}
	defer a.Close()
	how := prosocial.Attribution{Path: prosocial.Path(r.Text("path")), Nodes: r.Int("nodes"), Halvings: r.Int("halvings"), Told: told}
	parts, err := a.Attribute(ctx, prompts, how)
	if err != nil {
		return err
	}
	r.doc.Gradients = &headsGradients{Path: string(how.Path), Nodes: how.Nodes, Open: parts.Open, Closed: parts.Closed, Sums: parts.Sums, Gap: parts.Gap()}
	for _, h := range parts.Heads {
		r.add(prosocial.ScoreGradients, h.Head, h.Part)
	}
	return nil
}

func (r *headsRun) widen(ctx context.Context, _ []prosocial.Prompt, told func(int)) error {
	lines, err := r.textLines()
	if err != nil {
		return err
	}
	data, err := r.batches(lines, "learn from")
	if err != nil {
		return err
	}
	widths, err := r.network.Widths(ctx, data, prosocial.Posterior{Task: r.task, Steps: int64(r.Int("steps")), Gamma: r.Float("gamma"), Samples: int64(len(data.Lines)),
		Seed: r.Common.Seed, Session: r.runtimeOptions(), Told: func(step int64, _ float64) { told(int(step)) }})
	if err != nil {
		return err
	}
	of, err := widths.Of(r.network, r.network.Heads())
	for h, x := range of {
		r.add(prosocial.ScoreWidth, h, x)
	}
	return err
}

// finish puts the scores into the document.
func (r *headsRun) finish() {
	for _, h := range r.network.Heads() {
		r.doc.Heads = append(r.doc.Heads, prosocial.HeadScore{Head: h, Scores: r.scores[h]})
	}
}
