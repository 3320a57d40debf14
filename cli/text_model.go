package cli

import (
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
		text("tokenizer", "PATH", "the tokenizer: a folder, tokenizer.json, vocab.txt, a .gguf or llama2.c's tokenizer.bin (default: beside the model)").under(sectionModel),
	}
}

// textModel is a language model that takes texts.
type textModel struct {
	path      string // of the .onnx file
	model     *onnx.Model
	tokenizer *tokenizer.Tokenizer
	facts     modelFacts
	longest   int // tokens of a sequence; 0 where it is not said
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
	if m.facts, err = readFacts(folder, language.PoolingName, "sentence_bert_config.json", language.ConfigName, "generation_config.json"); err != nil {
		return nil, err
	}
	words := embedded(m.model.Graph)
	if m.tokenizer, err = openTokenizer(c.Text("tokenizer"), folder, int(words)); err != nil {
		return nil, err
	}
	if n := int64(m.tokenizer.Size()); words > 0 && n > words {
		return nil, &Error{File: path, Code: exitInput, Reason: fmt.Sprintf("the tokenizer has %d tokens, the model's embedding %d", n, words),
			Hint: "they do not belong together: --tokenizer names the model's own"}
	}
	if n := int64(m.tokenizer.Size()); n < words {
		c.Say("the tokenizer has %d tokens, the model's embedding %d", n, words)
	}
	m.longest = m.facts.limit()
	if n := m.tokenizer.Longest; n > 0 && n < 1<<24 && (m.longest == 0 || n < m.longest) {
		m.longest = n
	}
	return m, nil
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
