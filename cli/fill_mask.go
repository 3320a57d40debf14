package cli

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"graft/training/metric/bias"
	"graft/training/metric/bias/session"
)

var fillMaskVerb = verb{
	name: "fill-mask", args: "MODEL [TEXT ...]", short: "show what a masked language model puts in the place of a mask",
	long: `MODEL is a folder with model.onnx, the tokenizer's files and config.json, as graft convert writes it, or an .onnx file. Every TEXT has the
tokenizer's mask token, [MASK] or <mask>, once or several times; each is filled by itself, the others staying masks.`,
	examples: []string{
		`graft fill-mask bert/ "The capital of France is [MASK]."`,
		`graft fill-mask roberta/ "The <mask> is red." --top-k 10 --json`,
	},
	groups: readsModel | runsModel,
	flags: append([]cli.Flag{
		text("file", "FILE", "a text a line"),
		integer("top-k", "N", 1, 10_000, 5, "tokens that are shown for each mask"),
	}, textModelFlags()...),
	run: runFillMask,
}

// filled is the document of graft fill-mask --json.
type filled struct {
	executed
	Model string       `json:"model"`
	Texts []filledText `json:"texts"`
}

type filledText struct {
	Text  string       `json:"text"`
	Masks []filledMask `json:"masks"`
}

// filledMask is a mask, by its place among the text's tokens, and the likeliest tokens there.
type filledMask struct {
	At     int           `json:"at"`
	Tokens []filledToken `json:"tokens"`
}

type filledToken struct {
	Token string  `json:"token"`
	ID    int64   `json:"id"`
	Score float64 `json:"score"` // the probability
	Text  string  `json:"text"`  // with the token in the mask's place
}

func runFillMask(c *call) error {
	texts, err := c.texts(c.Args[1:])
	if err != nil {
		return err
	}
	if len(texts) == 0 {
		return misuse("there is no text: give one with a mask token, or --file")
	}
	t, err := c.openText(c.Arg(0))
	if err != nil {
		return err
	}
	mask, ok := t.tokenizer.Token(t.tokenizer.Roles.Mask)
	if !ok {
		return &Error{File: c.Arg(0), Reason: "the tokenizer has no mask token", Code: exitInput, Hint: "fill-mask wants a masked language model, BERT or one of its kin"}
	}
	doc := filled{Model: t.path, Texts: make([]filledText, len(texts))}
	var asked []bias.Hidden
	for i, s := range texts {
		doc.Texts[i].Text = s
		ids, err := t.encode(s)
		if err != nil {
			return err
		}
		for at, id := range ids {
			if id == t.tokenizer.Roles.Mask {
				doc.Texts[i].Masks = append(doc.Texts[i].Masks, filledMask{At: at})
				asked = append(asked, bias.Hidden{IDs: ids, At: at})
			}
		}
		if doc.Texts[i].Masks == nil {
			return &Error{Reason: fmt.Sprintf("the text %s has no %s", quote(s), mask), Code: exitInput, Hint: "put " + mask + " where a word is wanted"}
		}
	}
	answers, err := c.fillMasks(t, asked)
	if err != nil {
		return err
	}
	doc.executed = c.executed()
	for i := range doc.Texts {
		for k := range doc.Texts[i].Masks {
			one := &doc.Texts[i].Masks[k]
			one.Tokens = t.likeliest(asked[0], answers[0], c.Int("top-k"))
			asked, answers = asked[1:], answers[1:]
		}
	}
	c.JSON(doc)
	for i, one := range doc.Texts {
		if i > 0 {
			c.Print("")
		}
		for _, m := range one.Masks {
			w := table{Head: []string{"token", "probability", "text"}}
			for _, token := range m.Tokens {
				w.Add(token.Token, token.Score, token.Text)
			}
			c.Table(w)
		}
	}
	return nil
}

// fillMasks asks for the log-probabilities of all tokens.
func (c *call) fillMasks(t *textModel, asked []bias.Hidden) ([][]float64, error) {
	m, err := session.New(t.model, c.runtimeOptions())
	if err != nil {
		return nil, textError(err, t.path)
	}
	defer m.Close()
	scorer, size := m.Masked(), m.Vocabulary()
	if scorer == nil {
		return nil, &Error{File: t.path, Reason: "gives no logits over words", Code: exitInput, Hint: "graft convert --task fill-mask makes a model with that head"}
	}
	if size <= 0 {
		size = int64(t.tokenizer.Size())
	}
	all := make([]int64, size)
	for i := range all {
		all[i] = int64(i)
	}
	for i := range asked {
		asked[i].Want = all
	}
	c.Progress().Stage("fill masks", len(asked))
	out, err := scorer.LogProbs(c.Context(), asked, func(n int) { c.Progress().Step(n, "") })
	c.Progress().Done()
	if err != nil {
		return nil, textError(err, t.path)
	}
	return out, nil
}

// likeliest are the n likeliest tokens of a place; of equals the lower id.
func (t *textModel) likeliest(q bias.Hidden, logs []float64, n int) []filledToken {
	ids := slices.Clone(q.Want)
	slices.SortFunc(ids, func(a, b int64) int { return cmp.Or(cmp.Compare(logs[b], logs[a]), cmp.Compare(a, b)) })
	out := []filledToken{}
	for _, id := range ids[:min(n, len(ids))] {
		whole := slices.Clone(q.IDs)
		whole[q.At] = id
		out = append(out, filledToken{Token: strings.TrimSpace(t.tokenizer.Decode([]int64{id}, false)), ID: id, Score: math.Exp(logs[id]), Text: strings.TrimSpace(t.tokenizer.Decode(whole, true))})
	}
	return out
}
