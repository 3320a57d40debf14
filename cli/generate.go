package cli

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/urfave/cli/v2"

	"graft/runtime/generate"
)

var generateVerb = verb{
	name: "generate", args: "MODEL", short: "have a causal language model go on writing behind a prompt",
	long: `MODEL is a folder with model.onnx, the tokenizer's files and config.json, as graft convert writes it, or an .onnx file. Keys and values of
earlier tokens are kept where the model has past_key_values and present; otherwise every token computes the text anew.

Without --temperature the likeliest token is taken, and the lowest of equals. Drawn tokens are those of the logits over the temperature,
of these the --top-k likeliest, of these the fewest that come to --top-p; the same seed draws the same. The text ends with an
end token of generation_config.json, config.json or the tokenizer, after --max-tokens, or where the model's positions end.

--self-debias asks the model a second time for every token, behind a text that invites bias, and makes tokens which become likelier there
less likely (Self-Debias, Schick et al. 2021).`,
	examples: []string{
		`graft generate smollm2/ --prompt "The capital of France is" --max-tokens 32`,
		`graft generate smollm2/ --prompt "Once upon a time" --temperature 0.8 --top-p 0.95 --seed 7`,
		`graft generate stories.onnx --tokenizer tok512.bin --prompt "Once upon a time" --json`,
		`graft generate smollm2/ --prompt "The nurse said that" --self-debias gender`,
	},
	groups: readsModel | runsModel,
	flags: append([]cli.Flag{
		repeated("prompt", "TEXT", "the beginning; repeatable, each text goes on by itself"),
		text("file", "FILE", "a prompt a line"),
		integer("max-tokens", "N", 1, 1<<20, 64, "tokens that are written"),
		number("temperature", "X", between(0, 100), 0, "how freely to draw; 0: the likeliest token").under(sectionDrawing),
		integer("top-k", "N", 0, 1<<24, 0, "draw from so many tokens; 0: all").under(sectionDrawing),
		number("top-p", "X", above(0, 1), 1, "draw from the fewest tokens whose probabilities come to X").under(sectionDrawing),
		toggle("no-end", "go on behind an end token").under(sectionDrawing),
	}, slices.Concat(selfDebiasFlags(), textModelFlags())...),
	run: runGenerate,
}

const sectionDrawing = "Choice of tokens"

// generated is the document of graft generate --json.
type generated struct {
	executed
	Model   string          `json:"model"`
	Debias  []string        `json:"self_debias,omitempty"` // what is put before each text
	Cache   bool            `json:"cache"`                 // keys and values of earlier tokens are kept
	Texts   []generatedText `json:"texts"`
	Seconds float64         `json:"seconds"` // without loading the model
}

// generatedText is a prompt and what was written behind it. Margin is how far the largest logit was above the next, for each token.
type generatedText struct {
	Prompt       string    `json:"prompt"`
	Text         string    `json:"text"`
	PromptTokens []int64   `json:"prompt_tokens"`
	Tokens       []int64   `json:"tokens"`
	Margin       []float64 `json:"margin"`
	Stop         string    `json:"stop"`
	Seconds      float64   `json:"seconds"`
	FirstSeconds float64   `json:"first_seconds"` // until the first token
}

func runGenerate(c *call) error {
	prompts, err := c.texts(c.List("prompt"))
	if err != nil {
		return err
	}
	if len(prompts) == 0 {
		return misuse("flag --prompt is missing: the beginning of the text")
	}
	if c.Float("temperature") == 0 && (c.IsSet("top-k") || c.IsSet("top-p")) {
		return misuse("--top-k and --top-p draw tokens: give --temperature too, 1 leaves probabilities as they are")
	}
	if err := c.checkSelfDebias(); err != nil {
		return err
	}
	t, err := c.openText(c.Arg(0))
	if err != nil {
		return err
	}
	tokens := make([][]int64, len(prompts))
	for i, prompt := range prompts {
		if tokens[i], err = t.encode(prompt); err != nil {
			return err
		}
		if len(tokens[i]) == 0 {
			return &Error{Reason: fmt.Sprintf("the prompt %s has no tokens", quote(prompt)), Code: exitInput}
		}
	}
	m, err := generate.New(t.model, c.runtimeOptions())
	if err != nil {
		return textError(err, t.path)
	}
	defer m.Close()
	doc := generated{Model: t.path, Cache: m.Cached(), Texts: []generatedText{}}
	s := generate.Settings{Most: c.Int("max-tokens"), Longest: t.longest, Temperature: c.Float("temperature"), TopK: c.Int("top-k"), TopP: c.Float("top-p"),
		Seed: c.Common.Seed}
	if !c.Bool("no-end") {
		s.Ends = t.ends()
	}
	doc.Debias = c.selfDebiasPrefixes()
	for i := range prompts {
		if s.Debias, err = c.selfDebias(t.tokenizer, tokens[i]); err != nil {
			return err
		}
		one, err := c.goOn(t, m, s, prompts[i], tokens[i])
		if err != nil {
			return err
		}
		doc.Texts = append(doc.Texts, *one)
		doc.Seconds += one.Seconds
	}
	doc.executed = c.executed()
	c.JSON(doc)
	return nil
}

// goOn writes behind one prompt, showing the text as it comes.
func (c *call) goOn(t *textModel, m *generate.Model, s generate.Settings, prompt string, tokens []int64) (*generatedText, error) {
	one := &generatedText{Prompt: prompt, PromptTokens: tokens, Tokens: []int64{}, Margin: []float64{}}
	show := &stream{out: io.Discard}
	if !c.Common.JSON {
		show = newStream(c.out, terminal(c.app.Stdout))
	}
	show.write(prompt)
	behind := unfolding{decode: func(ids []int64) string { return t.tokenizer.Decode(ids, true) }, ids: tokens}
	behind.begin = len(behind.decode(tokens))
	begin := time.Now()
	r, err := m.Run(c.Context(), tokens, s, func(id int64) error {
		if one.FirstSeconds == 0 {
			one.FirstSeconds = time.Since(begin).Seconds()
		}
		return show.write(behind.add(id))
	})
	one.Seconds = time.Since(begin).Seconds()
	show.write(behind.rest() + "\n")
	if err != nil {
		return nil, textError(err, t.path)
	}
	one.Text, one.Stop = behind.text(), r.Stop
	one.Tokens, one.Margin = append(one.Tokens, r.IDs...), append(one.Margin, r.Margin...)
	switch n := len(r.IDs); {
	case r.Stop == generate.StopLongest:
		c.Say("stopped: the text has the %d tokens that the model takes", t.longest)
	case n > 1:
		c.Detail("%s, %.3g tokens a second behind the first", counted(n, "token"), float64(n-1)/max(one.Seconds-one.FirstSeconds, 1e-9))
	}
	return one, nil
}

// unfolding turns tokens that come one by one into text: what is written behind a prompt, as far as it cannot change any more.
type unfolding struct {
	decode func([]int64) string
	ids    []int64
	begin  int // bytes of the prompt's text
	shown  int // bytes behind it that add has given
}

// text is all that is behind the prompt.
func (u *unfolding) text() string {
	all := u.decode(u.ids)
	return all[min(u.begin, len(all)):]
}

// add takes a token and gives what is new. A character that has not all of its bytes waits for them.
func (u *unfolding) add(id int64) string {
	u.ids = append(u.ids[:len(u.ids):len(u.ids)], id)
	all := u.text()
	for strings.HasSuffix(all, string(utf8.RuneError)) {
		all = strings.TrimSuffix(all, string(utf8.RuneError))
	}
	fresh := all[min(u.shown, len(all)):]
	u.shown += len(fresh)
	return fresh
}

// rest is what add kept back.
func (u *unfolding) rest() string {
	all := u.text()
	return all[min(u.shown, len(all)):]
}

// stream writes text of many lines as it comes; for a terminal, characters that steer it are made visible.
type stream struct {
	out   io.Writer
	clean bool
}

func newStream(out io.Writer, terminal bool) *stream { return &stream{out: out, clean: terminal} }

func (s *stream) write(text string) error {
	if text == "" {
		return nil
	}
	w := bufio.NewWriter(s.out)
	for line := range strings.SplitAfterSeq(text, "\n") {
		end := ""
		if s.clean {
			if rest, ok := strings.CutSuffix(line, "\n"); ok {
				line, end = rest, "\n"
			}
			line = strings.ReplaceAll(clean(line), `\t`, "\t")
		}
		w.WriteString(line)
		w.WriteString(end)
	}
	return w.Flush()
}
