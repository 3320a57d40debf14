package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	net "graft/graphs/language"
	"graft/onnx"
	"graft/onnx/rewrite"
	"graft/training/metric/bias/session"
	"graft/training/prosocial"
)

// sectionProjection is that of flags of methods that project the last hidden state.
const sectionProjection = "Projection of the last hidden state"

// debiasProjections are the methods that take directions out of a model's last hidden state.
var debiasProjections = []debiasMethod{
	{name: "sentence-debias", doc: "takes the directions out of the last hidden state by which sentences and the same with the other gender differ (Liang et al. 2020)",
		flags: slices.Concat([]cli.Flag{
			integer("components", "N", 1, 1<<16, 1, "principal components that are taken out").under(sectionProjection),
		}, projectionFlags()), run: runSentenceDebias},
	{name: "inlp", doc: "takes the directions out of the last hidden state by which linear classifiers tell sentences of men, of women and of neither apart (Ravfogel et al. 2020)",
		flags: slices.Concat([]cli.Flag{
			integer("rounds", "N", 1, 1<<16, 80, "classifiers, one behind the other, at most").under(sectionProjection),
			number("enough", "X", between(0, 1), 0.01, "end when a classifier is right on sentences held back no more than X above chance; 0: never").under(sectionProjection),
		}, projectionFlags()), run: runINLP},
}

func projectionFlags() []cli.Flag {
	return []cli.Flag{
		repeated("text", "FILE", "text, a sample in each line; repeatable").under(sectionTuning),
		text("words", "FILE", "pairs of words, two in a line (default: of gender)").under(sectionTuning),
		text("names", "FILE|common", "pairs of names, swapped where they begin with a capital").under(sectionTuning),
		integer("sentences", "N", 0, 1<<24, 10_000, "pairs of sentences at most; 0: all of the text").under(sectionProjection),
		choice("pooling", poolMean, "what a sentence's vector is: the mean of all tokens, or the first", poolMean, poolCLS).under(sectionProjection),
		toggle("untie", "give a decoder a head of its own, with the projection in it, where it shares the table of words").under(sectionProjection),
	}
}

// projectionReport is what graft debias --json says of a projection.
type projectionReport struct {
	Pairs      int                   `json:"pairs"`   // of sentences that differ in a word of a group
	Neutral    int                   `json:"neutral"` // sentences without such a word
	Mixed      int                   `json:"mixed"`   // lines with words of both, left out
	Skipped    int                   `json:"skipped"` // sentences that had no tokens
	Width      int                   `json:"width"`
	Directions int                   `json:"directions"`
	Share      float64               `json:"share"`    // of the squared differences within pairs, that the directions hold
	Chance     float64               `json:"chance"`   // how often the most frequent class is right on what is held back
	Before     float64               `json:"accuracy"` // of a new classifier there
	After      float64               `json:"accuracy_after"`
	Rounds     []prosocial.INLPRound `json:"rounds,omitempty"`
	Weights    []string              `json:"weights,omitempty"` // that the projection is in; absent where the graph has it
	Kept       string                `json:"kept,omitempty"`    // why it is not in weights
}

func runSentenceDebias(d *debiasing) error {
	return d.project(func(e *prosocial.Embedded, _ *projectionReport) (*prosocial.Projection, error) {
		return prosocial.SentenceDebias(e.Sets(), d.Int("components"))
	})
}

func runINLP(d *debiasing) error {
	return d.project(func(e *prosocial.Embedded, report *projectionReport) (p *prosocial.Projection, err error) {
		train, held := e.Labelled()
		rounds := d.Int("rounds")
		d.Progress().Stage("classifiers", rounds)
		c := prosocial.INLPConfig{Rounds: rounds, Enough: d.Float("enough"), Held: held, Told: func(r prosocial.INLPRound) {
			report.Rounds = append(report.Rounds, r)
			right := r.Accuracy
			if r.Held != nil {
				right = *r.Held
			}
			d.Progress().Step(len(report.Rounds), fmt.Sprintf("accuracy %.3f", right))
		}}
		p, _, err = prosocial.INLP(train.X, train.Labels, c)
		d.Progress().Done()
		if err == nil && len(p.Directions) == 0 {
			err = errors.New("a classifier does no better than chance: there is nothing to take out")
		}
		return p, err
	})
}

// project learns a projection from sentences and puts it into the model.
func (d *debiasing) project(learn func(*prosocial.Embedded, *projectionReport) (*prosocial.Projection, error)) error {
	sentences, err := d.projectionSentences()
	if err != nil {
		return err
	}
	report := &projectionReport{Mixed: sentences.Mixed}
	if d.Common.DryRun {
		report.Pairs, report.Neutral = len(sentences.Pairs), len(sentences.Neutral)
		d.JSON(map[string]any{"method": d.method.name, "report": report})
		d.Print("would learn from %s of sentences and %s, into %s", counted(report.Pairs, "pair"), counted(report.Neutral, "neutral one"), d.Out())
		return nil
	}
	e, err := d.embedded(sentences, report)
	if err != nil {
		return err
	}
	p, err := learn(e, report)
	if err != nil {
		return refused(d.Arg(0), err)
	}
	if err := report.measure(e, p); err != nil {
		return refused(d.Arg(0), err)
	}
	if err := d.fold(p, report); err != nil {
		return err
	}
	d.report = report
	where := "in " + shortList(report.Weights)
	if report.Kept != "" {
		where = "in the graph, for " + report.Kept
	}
	d.lines = append(d.lines,
		fmt.Sprintf("%s of %d taken out, learned from %s of sentences and %s: %s", counted(report.Directions, "direction"), report.Width, counted(report.Pairs, "pair"), counted(report.Neutral, "neutral one"), where),
		fmt.Sprintf("they hold %.1f %% of the differences within pairs; a classifier is right on %.1f %% of sentences held back, before %.1f %%, by chance %.1f %%", 100*report.Share, 100*report.After, 100*report.Before, 100*report.Chance))
	return nil
}

// shortList are the first names of a list.
func shortList(names []string) string {
	if len(names) > 2 {
		return fmt.Sprintf("%s and %d more", names[0], len(names)-1)
	}
	return strings.Join(names, " and ")
}

// projectionSentences are those of --text, else of templates.
func (d *debiasing) projectionSentences() (*prosocial.Sentences, error) {
	words, err := d.swappedWords()
	if err != nil {
		return nil, err
	}
	lines, from := words.Templates(), ""
	if files := d.List("text"); len(files) > 0 {
		from = files[0]
		if lines, err = d.textLines(); err != nil {
			return nil, err
		}
	}
	s, err := words.Sentences(lines, d.Int("sentences"), d.Common.Seed)
	if err != nil {
		return nil, refused(from, err)
	}
	return s, nil
}

// embedded has the model embed sentences.
func (d *debiasing) embedded(sentences *prosocial.Sentences, report *projectionReport) (*prosocial.Embedded, error) {
	m, err := d.network.Build(net.Options{})
	if err != nil {
		return nil, refused(d.Arg(0), err)
	}
	s, err := session.New(m, d.runtimeOptions())
	if err != nil {
		return nil, err
	}
	defer s.Close()
	most := d.network.Config.Longest()
	r := prosocial.Representations{Encoder: s.Encoder(), Encode: func(text string) ([]int64, error) {
		e, err := d.tokenizer.EncodeWithin(text, most)
		return e.IDs, err
	}}
	if d.Text("pooling") == poolCLS {
		r.Encoder = s.FirstEncoder()
	}
	begun := false
	r.Told = func(done, total int) {
		if !begun {
			begun = true
			d.Progress().Stage("embed", total)
		}
		d.Progress().Step(done, "")
	}
	e, err := r.Embed(d.Context(), sentences)
	d.Progress().Done()
	if err != nil {
		return nil, err
	}
	report.Pairs, report.Neutral, report.Skipped = len(e.Pairs), len(e.Neutral), r.Skipped
	return e, nil
}

// measure says what a projection takes from sentences, and how well they are told apart before and after.
func (r *projectionReport) measure(e *prosocial.Embedded, p *prosocial.Projection) (err error) {
	r.Directions, r.Width, r.Share = len(p.Directions), len(e.Pairs[0][0]), p.Share(e.Sets())
	train, held := e.Labelled()
	if len(held.X) == 0 {
		return nil
	}
	r.Chance = prosocial.Chance(held.Labels)
	if r.Before, err = prosocial.Telling(train, held); err != nil {
		return err
	}
	for _, x := range slices.Concat(train.X, held.X) {
		p.Apply(x)
	}
	r.After, err = prosocial.Telling(train, held)
	return err
}

// fold puts a projection into weights, where they can hold it, else behind the last hidden state.
func (d *debiasing) fold(p *prosocial.Projection, report *projectionReport) error {
	changed, names, reason, err := p.FoldWeights(d.network, d.source.Options.Task, d.Bool("untie"))
	if err != nil {
		return refused(d.Arg(0), err)
	}
	if changed != nil {
		report.Weights = names
		if changed.Config.TieWordEmbeddings != d.network.Config.TieWordEmbeddings {
			if err := d.source.Untie(); err != nil {
				return refused(d.Arg(0), err)
			}
		}
		d.network = changed
		return nil
	}
	report.Kept = reason
	d.edit = func(m *onnx.Model) error {
		_, err := p.Fold(m, rewrite.ProjectOptions{Nodes: true})
		return err
	}
	return nil
}
