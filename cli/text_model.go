package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/urfave/cli/v2"

	"graft/export/language"
	"graft/onnx"
	"graft/onnx/limits"
	"graft/onnx/tokenizer"
	"graft/runtime"
)

// Bounds of the texts that a verb takes.
const (
	mostTextBytes = 1 << 20 // of one
	mostTexts     = 1 << 17
)

// textModelFlags are those of verbs that give texts to a language model.
func textModelFlags() []cli.Flag {
	return []cli.Flag{
		text("tokenizer", "PATH", "the tokenizer: a folder, tokenizer.json, vocab.txt or llama2.c's tokenizer.bin (default: beside the model)").under(sectionModel),
	}
}

// textModel is a language model that takes texts.
type textModel struct {
	path      string // of the .onnx file
	model     *onnx.Model
	tokenizer *tokenizer.Tokenizer
	facts     textFacts
	longest   int // tokens of a sequence; 0 where it is not said
}

// textFacts are what config.json and the files beside it say that matters here.
type textFacts struct {
	ModelType string   `json:"model_type"`
	Positions int      `json:"max_position_embeddings"`
	NPosition int      `json:"n_positions"`
	Pad       *int     `json:"pad_token_id"`
	End       tokenIDs `json:"eos_token_id"`
	Sentence  int      `json:"max_seq_length"` // of sentence_bert_config.json
}

// tokenIDs are one token, several, or none.
type tokenIDs []int64

func (t *tokenIDs) UnmarshalJSON(data []byte) error {
	var one *int64
	if json.Unmarshal(data, &one) == nil {
		if *t = nil; one != nil {
			*t = tokenIDs{*one}
		}
		return nil
	}
	var list []int64
	err := json.Unmarshal(data, &list)
	*t = list
	return err
}

// openText reads a model, a folder with model.onnx or a file, and its tokenizer. A vocabulary that is too small is refused.
func (c *call) openText(path string) (*textModel, error) {
	m, folder := &textModel{path: path}, filepath.Dir(path)
	if isFolder(path) {
		m.path, folder = filepath.Join(path, language.ModelName), path
		if _, err := os.Stat(m.path); errors.Is(err, fs.ErrNotExist) {
			return nil, &Error{File: path, Code: exitInput, Reason: "has no " + language.ModelName,
				Hint: "graft convert " + path + " --out FOLDER makes a folder of a model"}
		}
	}
	var err error
	if m.model, err = c.loadModel(m.path); err != nil {
		return nil, err
	}
	for _, name := range []string{"sentence_bert_config.json", language.ConfigName, "generation_config.json"} { // the last that speaks counts
		if err := m.facts.read(filepath.Join(folder, name)); err != nil {
			return nil, err
		}
	}
	words := embedded(m.model.Graph)
	if m.tokenizer, err = c.openTokenizer(folder, int(words)); err != nil {
		return nil, err
	}
	if n := int64(m.tokenizer.Size()); words > 0 && n > words {
		return nil, &Error{File: path, Code: exitInput, Reason: fmt.Sprintf("the tokenizer has %d tokens, the model's embedding %d", n, words),
			Hint: "they do not belong together: --tokenizer names the model's own"}
	}
	if n := int64(m.tokenizer.Size()); n < words {
		c.Say("the tokenizer has %d tokens, the model's embedding %d", n, words)
	}
	m.longest = m.facts.longest()
	if n := m.tokenizer.Longest; n > 0 && n < 1<<24 && (m.longest == 0 || n < m.longest) {
		m.longest = n
	}
	return m, nil
}

func (f *textFacts) read(path string) error {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	data, err := readText(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal([]byte(data), f); err != nil {
		return refused(path, fmt.Errorf("no JSON of a configuration: %w", err))
	}
	return nil
}

// longest is how many tokens have positions; 0 where it is not said.
func (f *textFacts) longest() int {
	n := max(f.Positions, f.NPosition)
	if n > 0 && strings.Contains(f.ModelType, "roberta") { // positions count from the one behind that of padding
		pad := 1
		if f.Pad != nil {
			pad = *f.Pad
		}
		n -= pad + 1
	}
	return max(n, 0)
}

// openTokenizer opens --tokenizer, or what lies in the model's folder. words is the model's vocabulary, 0 where it is not known.
func (c *call) openTokenizer(folder string, words int) (*tokenizer.Tokenizer, error) {
	path := c.Text("tokenizer")
	if strings.EqualFold(filepath.Ext(path), ".bin") {
		f, size, err := limits.OpenRegular(path)
		if err != nil {
			return nil, refused(path, err)
		}
		defer f.Close()
		if size > mostText {
			return nil, refused(path, fmt.Errorf("%d bytes, a vocabulary has at most %d", size, mostText))
		}
		data := make([]byte, size)
		if err := limits.ReadAt(f, data, 0, "vocabulary"); err != nil {
			return nil, refused(path, err)
		}
		t, err := tokenizer.FromLlama2C(data, words)
		if err != nil {
			return nil, refused(path, err)
		}
		return t, nil
	}
	if path != "" {
		t, err := tokenizer.Open(path)
		if err != nil {
			return nil, refused(path, err)
		}
		return t, nil
	}
	t, err := tokenizer.Open(folder)
	if err != nil {
		return nil, &Error{File: folder, Err: err, Hint: "--tokenizer names the model's tokenizer"}
	}
	return t, nil
}

// embedded is the number of rows of the table that input_ids select from, else of tokens that logits are of; 0 where neither is seen.
func embedded(g *onnx.Graph) int64 {
	for _, in := range g.Inputs() {
		if in.Name != "input_ids" {
			continue
		}
		queue := []*onnx.Value{in}
		for len(queue) > 0 {
			v := queue[0]
			queue = queue[1:]
			for _, u := range v.Uses() {
				switch n := u.Node; {
				case n.Is("Gather") && u.Index == 1 && n.Input(0).IsInitializer() && len(n.Input(0).Type.Shape) == 2:
					return n.Input(0).Type.Shape[0].Size
				case n.Is("Cast") || n.Is("Identity"):
					queue = append(queue, n.Output(0))
				}
			}
		}
	}
	for _, v := range g.Outputs() {
		if s := v.Type.Shape; v.Name == "logits" && len(s) == 3 && s[2].Known() {
			return s[2].Size
		}
	}
	return 0
}

// ends are the tokens that end a text.
func (m *textModel) ends() []int64 {
	if len(m.facts.End) > 0 {
		return slices.Clone(m.facts.End)
	}
	if id := m.tokenizer.Roles.End; id >= 0 {
		return []int64{id}
	}
	return nil
}

// texts are those given, and the lines of --file that are not empty.
func (c *call) texts(given []string) ([]string, error) {
	all := slices.Clone(given)
	if path := c.Text("file"); path != "" {
		data, err := readText(path)
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(data) {
			if line = strings.TrimRight(line, "\r\n"); line != "" {
				all = append(all, line)
			}
		}
	}
	if len(all) > mostTexts {
		return nil, misuse("%d texts, at most %d are taken at once", len(all), mostTexts)
	}
	for i, s := range all {
		switch {
		case len(s) > mostTextBytes:
			return nil, &Error{Reason: fmt.Sprintf("text %d has %d bytes, at most %d are taken", i+1, len(s), mostTextBytes), Code: exitInput}
		case !utf8.ValidString(s):
			return nil, &Error{Reason: fmt.Sprintf("text %d is not UTF-8", i+1), Code: exitInput}
		}
	}
	return all, nil
}

// encode gives the tokens of a text, which the model must take whole.
func (m *textModel) encode(s string) ([]int64, error) {
	e, err := m.tokenizer.Encode(s)
	if err != nil {
		return nil, &Error{Reason: fmt.Sprintf("text %s: %v", quote(s), err), Code: exitInput}
	}
	if m.longest > 0 && len(e.IDs) > m.longest {
		return nil, &Error{Reason: fmt.Sprintf("the text %s has %d tokens, the model takes %d", quote(s), len(e.IDs), m.longest), Code: exitInput,
			Hint: "give a shorter text"}
	}
	return e.IDs, nil
}

// textError grades an error of a model that runs on texts.
func textError(err error, path string) error {
	var input *limits.InputError
	if errors.As(err, &input) || errors.Is(err, runtime.ErrModel) {
		return refused(path, err)
	}
	if e := runtimeError(err, path); e != err {
		return e
	}
	return &Error{File: path, Err: err, Code: exitRuntime}
}
