package cli

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"graft/export/language"
	"graft/onnx"
	"graft/training/dataset"
	"graft/training/metric/bias/session"
)

// The ways of pooling.
const (
	poolMean = "mean"
	poolCLS  = "cls"
)

var embedVerb = verb{
	name: "embed", args: "MODEL [TEXT ...]", short: "turn texts into vectors by a language model's hidden states",
	long: `MODEL is a folder with model.onnx, the tokenizer's files and config.json, as graft convert writes it, or an .onnx file; it gives
last_hidden_state. A text's vector is their mean over its tokens, or that of the first token, as --pooling or sentence-transformers'
1_Pooling/config.json beside the model says, and has length 1 unless --raw is given.

A text of more tokens than the model or sentence_bert_config.json takes is cut, which is said. --out FILE.npy holds the vectors as float32
[texts, width].`,
	examples: []string{
		`graft embed minilm/ "A cat sits on the mat." "A kitten lies on the rug."`,
		"graft embed minilm/ --file sentences.txt --out sentences.npy",
		`graft embed minilm/ "A cat sits on the mat." --json`,
	},
	groups:     readsModel | runsModel,
	writesWhen: func(c *call) bool { return isNpy(c.Out()) },
	flags: append([]cli.Flag{
		text("file", "FILE", "a text a line"),
		choice("pooling", poolMean, "what a text's vector is made of: all tokens, or the first", poolMean, poolCLS),
		toggle("raw", "leave the vectors as long as they are"),
	}, textModelFlags()...),
	run: runEmbed,
}

func isNpy(path string) bool { return strings.EqualFold(filepath.Ext(path), ".npy") }

// embeddings is the document of graft embed --json.
type embeddings struct {
	executed
	Model      string         `json:"model"`
	Pooling    string         `json:"pooling"`
	Normalized bool           `json:"normalized"`
	Width      int            `json:"width"`
	Limit      int            `json:"limit,omitempty"` // tokens of a text
	Cut        int            `json:"cut"`             // texts that had more
	File       string         `json:"file,omitempty"`
	Texts      []embeddedText `json:"texts"`
}

// embeddedText is a text and its vector, which is absent where it is in a file.
type embeddedText struct {
	Text      string    `json:"text"`
	Tokens    int       `json:"tokens"`
	CutTokens int       `json:"cut_tokens,omitempty"`
	Embedding []float32 `json:"embedding,omitempty"`
}

func runEmbed(c *call) error {
	if isNpy(c.Out()) {
		if _, err := c.OutFile(); err != nil {
			return err
		}
	}
	texts, err := c.texts(c.Args[1:])
	if err != nil {
		return err
	}
	if len(texts) == 0 {
		return misuse("there is no text: give one, or --file")
	}
	t, err := c.openText(c.Arg(0))
	if err != nil {
		return err
	}
	pooling, err := c.pooling(t)
	if err != nil {
		return err
	}
	doc := embeddings{Model: t.path, Pooling: pooling, Normalized: !c.Bool("raw"), Limit: t.longest, Texts: make([]embeddedText, len(texts))}
	if n := t.facts.Sentence; n > 0 && (doc.Limit == 0 || n < doc.Limit) {
		doc.Limit = n
	}
	tokens := make([][]int64, len(texts))
	for i, s := range texts {
		if tokens[i], err = t.embedTokens(s, &doc, i); err != nil {
			return err
		}
	}
	if doc.Cut > 0 {
		c.Say("%s of more than %s cut", counted(doc.Cut, "text"), counted(doc.Limit, "token"))
	}
	vectors, err := c.embed(t, tokens, &doc)
	if err != nil {
		return err
	}
	doc.executed = c.executed()
	if isNpy(c.Out()) {
		doc.File = c.Out()
		if err := c.writeVectors(vectors, doc.Width); err != nil {
			return err
		}
	} else {
		for i := range doc.Texts {
			doc.Texts[i].Embedding = vectors[i*doc.Width:][:doc.Width]
		}
	}
	c.JSON(doc)
	c.printEmbeddings(&doc, vectors)
	return nil
}

// pooling is what --pooling says, else the file beside the model.
func (c *call) pooling(t *textModel) (string, error) {
	if c.IsSet("pooling") {
		return c.Text("pooling"), nil
	}
	said, err := t.facts.pooling()
	if err != nil {
		return "", &Error{File: filepath.Join(filepath.Dir(t.path), language.PoolingName), Err: err, Code: exitInput, Hint: "--pooling takes another way"}
	}
	return cmp.Or(said, poolMean), nil
}

// embedTokens are a text's tokens, as many as the model takes.
func (t *textModel) embedTokens(s string, doc *embeddings, i int) ([]int64, error) {
	most := doc.Limit
	if most == 0 {
		most = math.MaxInt32
	}
	e, err := t.tokenizer.EncodeWithin(s, most)
	if err == nil && len(e.IDs) == 0 {
		err = fmt.Errorf("has no tokens")
	}
	if err != nil {
		return nil, &Error{Reason: fmt.Sprintf("text %s: %v", quote(s), err), Code: exitInput}
	}
	doc.Texts[i] = embeddedText{Text: s, Tokens: len(e.IDs), CutTokens: e.Cut}
	if e.Cut > 0 {
		doc.Cut++
	}
	return e.IDs, nil
}

// embed gives all vectors, one behind the other.
func (c *call) embed(t *textModel, tokens [][]int64, doc *embeddings) ([]float32, error) {
	m, err := session.New(t.model, c.runtimeOptions())
	if err != nil {
		return nil, textError(err, t.path)
	}
	defer m.Close()
	e := m.Encoder()
	if doc.Pooling == poolCLS {
		e = m.FirstEncoder()
	}
	if e == nil {
		return nil, &Error{File: t.path, Reason: "gives no last_hidden_state", Code: exitInput, Hint: "graft convert --task feature-extraction makes a model that does"}
	}
	c.Progress().Stage("embed", len(tokens))
	rows, err := e.Embed(c.Context(), tokens, func(n int) { c.Progress().Step(n, "") })
	c.Progress().Done()
	if err != nil {
		return nil, textError(err, t.path)
	}
	doc.Width = len(rows[0])
	out := make([]float32, 0, len(rows)*doc.Width)
	for i, row := range rows {
		norm := 1.
		if doc.Normalized {
			norm = math.Max(length(row), 1e-12)
		}
		for _, x := range row {
			if x /= norm; math.IsNaN(x) || math.IsInf(x, 0) {
				return nil, failed(fmt.Errorf("the vector of text %s has a number that is %v", quote(doc.Texts[i].Text), x), "")
			}
			out = append(out, float32(x))
		}
	}
	return out, nil
}

func length(row []float64) float64 {
	sum := 0.
	for _, x := range row {
		sum += x * x
	}
	return math.Sqrt(sum)
}

func (c *call) writeVectors(vectors []float32, width int) error {
	var b bytes.Buffer
	if err := dataset.WriteNpy(&b, onnx.FromSlice(vectors, int64(len(vectors)/width), int64(width))); err != nil {
		return err
	}
	return writeFile(c.Out(), b.Bytes())
}

// mostShown is how many texts the table has.
const mostShown = 50

// printEmbeddings shows how like the texts are to the first: cosines.
func (c *call) printEmbeddings(doc *embeddings, vectors []float32) {
	w := table{Head: []string{"text", "tokens", "cosine to the first"}}
	vector := func(i int) []float64 {
		out := make([]float64, doc.Width)
		for k, x := range vectors[i*doc.Width:][:doc.Width] {
			out[k] = float64(x)
		}
		return out
	}
	first := vector(0)
	for i, one := range doc.Texts[:min(len(doc.Texts), mostShown)] {
		other, dot := vector(i), 0.
		for k := range other {
			dot += first[k] * other[k]
		}
		w.Add(shortened(one.Text), one.Tokens, dot/math.Max(length(first)*length(other), 1e-12))
	}
	c.Table(w)
	if n := len(doc.Texts) - mostShown; n > 0 {
		c.Print("and %d more", n)
	}
	where := "--json or --out FILE.npy gives them"
	if doc.File != "" {
		where = "in " + doc.File
	}
	c.Print("%s of width %d, %s", counted(len(doc.Texts), "vector"), doc.Width, where)
}
