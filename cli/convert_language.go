package cli

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"graft/cli/outdir"
	"graft/export"
	"graft/export/language"
	"graft/onnx"
	"graft/onnx/gguf"
	"graft/onnx/tokenizer"
)

// languageFlags are those of graft convert for language models.
var languageFlags = []cli.Flag{
	choice("to", "", "what a folder at --out holds: ONNX in Optimum's layout, or safetensors in Hugging Face's (default: onnx)", toONNX, toHuggingFace).under("Language models"),
	choice("gguf-type", "f32", "type of the matrices of a .gguf file at --out", slices.Sorted(maps.Keys(ggufTypes))...).under("Language models"),
	list("variants", "LIST", "smaller networks beside it, as transformers.js names them: fp16, int8, q8, q4; joined by commas").under("Language models"),
	text("tokenizer", "FILE", "tokenizer to put beside a language model: a folder, tokenizer.json, vocab.txt or llama2.c's tokenizer.bin").under("Language models"),
	choice("task", "", "what a language model is for, which says what head it has (default: by its config.json)", language.Tasks()...).under("Language models"),
}

// The forms that --to names.
const (
	toONNX        = "onnx"
	toHuggingFace = "huggingface"
)

// convertedLanguage is what graft convert --json says of a language model.
type convertedLanguage struct {
	ModelType  string   `json:"model_type"`
	Task       string   `json:"task"`
	Parameters int64    `json:"parameters"`
	Files      []string `json:"files,omitempty"`           // of the folder
	Ignored    []string `json:"ignored_tensors,omitempty"` // of the input that the network does not have
}

// ggufTypes are the values of --gguf-type.
var ggufTypes = map[string]gguf.Type{"f32": gguf.F32, "f16": gguf.F16, "q8_0": gguf.Q8_0}

// isGGUF reports whether the output is a GGUF file.
func isGGUF(path string) bool { return strings.EqualFold(filepath.Ext(path), ".gguf") }

// convertGGUF writes a GGUF file.
func (c *call) convertGGUF(s *language.Source) error {
	out, err := c.OutFile()
	if err != nil {
		return err
	}
	if err := c.networkFlags(); err != nil {
		return err
	}
	l, err := s.GGUF(ggufTypes[c.Text("gguf-type")])
	if err != nil {
		return refused("", err)
	}
	doc := convertedFile{File: out, Format: "GGUF", Language: aboutLanguage(s)}
	if doc.Language.Parameters, err = s.Parameters(); err != nil {
		return refused("", err)
	}
	if doc.Bytes, err = c.writeEach(out, l.Bytes, l.Write); err != nil {
		return err
	}
	c.tellLanguage(doc)
	return nil
}

// networkFlags refuses flags that change a network where weights alone are written.
func (c *call) networkFlags() error {
	for _, f := range c.verb.flags {
		name := f.Names()[0]
		if c.IsSet(name) && !slices.ContainsFunc(languageFlags, func(l cli.Flag) bool { return l.Names()[0] == name }) {
			return misuse("--%s changes a network, --out %s holds weights alone", name, quote(c.Common.Out))
		}
	}
	return nil
}

// noLanguageFlags refuses flags of language models where there is none.
func (c *call) noLanguageFlags() error {
	for _, f := range languageFlags {
		if name := f.Names()[0]; c.IsSet(name) {
			return misuse("--%s wants a language model: a folder with config.json, a GGUF file or one of llama2.c", name)
		}
	}
	return nil
}

// isFolder reports whether path is a folder.
func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// openSource opens a pretrained language model; nil where path holds none.
func openSource(path string) (s *language.Source, err error) {
	switch name := ""; {
	case isFolder(path):
		s, err = language.OpenFolder(path)
	default:
		if name, err = sniff(path); err != nil {
			return nil, refused(path, err)
		}
		switch name {
		case "GGUF":
			s, err = language.OpenGGUF(path)
		case "llama2.c":
			s, err = language.OpenLlama2c(path)
		default:
			return nil, nil
		}
	}
	if err != nil {
		return nil, refused("", err)
	}
	return s, nil
}

// openLanguage is openSource with --task and --tokenizer; nil where path holds no model.
func (c *call) openLanguage(path string) (*language.Source, error) {
	s, err := openSource(path)
	if s == nil || err != nil {
		return nil, err
	}
	if task := c.Text("task"); task != "" {
		if err := s.SetTask(task); err != nil {
			return nil, errors.Join(misuse("--task %s: %v", task, err), s.Close())
		}
	}
	if file := c.Text("tokenizer"); file != "" {
		if err := s.ReadTokenizer(file); err != nil {
			return nil, errors.Join(refused(file, err), s.Close())
		}
	}
	for _, note := range s.Notes {
		c.Say("%s: %s", path, note)
	}
	return s, nil
}

// wordsOf is the tokenizer of a model that is to be changed, of --tokenizer or beside it. With an error the source is closed; none at all is
// an error too.
func (c *call) wordsOf(s *language.Source, path string) (*tokenizer.Tokenizer, error) {
	if s == nil {
		return nil, &Error{File: path, Code: exitInput, Reason: "is no language model that can be changed",
			Hint: "give a folder with config.json, as graft convert makes, or a .gguf file"}
	}
	n := s.Config.VocabSize
	t, err := openTokenizer(c.Text("tokenizer"), tokenizerPlace(path), int(n))
	if err == nil && int64(t.Size()) > n {
		err = &Error{File: path, Code: exitInput, Reason: fmt.Sprintf("the tokenizer has %d tokens, the model a vocabulary of %d", t.Size(), n),
			Hint: "they do not belong together: --tokenizer names the model's own"}
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return t, nil
}

// languageModel builds the network of a source.
func (c *call) languageModel(s *language.Source) (*onnx.Model, *convertedLanguage, error) {
	m, err := s.Model(s.Options)
	if err != nil {
		return nil, nil, refused("", err)
	}
	doc := aboutLanguage(s)
	for _, v := range m.Graph.Initializers() {
		doc.Parameters += v.Const.Len()
	}
	for _, name := range s.Ignored {
		c.Detail("tensor %s is not part of the network", quote(name))
	}
	return m, doc, nil
}

// convertLanguage writes a folder: the model in the form that --to asks for, its configuration, the tokenizer's files.
func (c *call) convertLanguage(s *language.Source) error {
	out := c.Common.Out
	if c.Text("to") == toHuggingFace {
		return c.convertBack(s, out)
	}
	m, about, err := c.languageModel(s)
	if err != nil {
		return err
	}
	w, doc := &content{model: m}, convertedFile{File: out, Format: "folder of Optimum's layout", Language: about}
	if err := c.convertModel(w, &doc); err != nil {
		return err
	}
	return c.writeLanguage(&doc, s.Files, language.ModelName, func(path string) (*savedModel, error) {
		if !c.Common.DryRun {
			return c.saveVariants(m, w.model, nil, path, about)
		}
		saving, err := c.layOut(w.model, path)
		if err != nil {
			return nil, err
		}
		return &savedModel{bytes: written(saving)}, saving.Close()
	})
}

// convertBack writes a folder of Hugging Face's layout.
func (c *call) convertBack(s *language.Source, out string) error {
	if err := c.networkFlags(); err != nil {
		return err
	}
	l, err := s.HuggingFace()
	if err != nil {
		return refused("", err)
	}
	doc := convertedFile{File: out, Format: "folder of Hugging Face's layout", Language: aboutLanguage(s)}
	if doc.Language.Parameters, err = s.Parameters(); err != nil {
		return refused("", err)
	}
	return c.writeLanguage(&doc, l.Files, l.Name, func(path string) (*savedModel, error) {
		if c.Common.DryRun {
			return &savedModel{bytes: l.Bytes}, nil
		}
		n, err := c.writeEach(path, l.Bytes, l.Write)
		return &savedModel{bytes: n}, err
	})
}

func aboutLanguage(s *language.Source) *convertedLanguage {
	doc := &convertedLanguage{ModelType: s.Config.ModelType, Task: s.Options.Task, Ignored: s.Ignored}
	if s.Options.Cache {
		doc.Task = language.PastTask
	}
	return doc
}

// writeLanguage writes a folder of files, one of them large, which write puts at a path.
func (c *call) writeLanguage(doc *convertedFile, files map[string][]byte, large string, write func(path string) (*savedModel, error)) error {
	if c.Common.DryRun {
		doc.list(files, large)
		saved, err := write(filepath.Join(doc.File, large))
		if err != nil {
			return err
		}
		doc.Bytes += saved.bytes
		c.tellLanguage(*doc)
		return nil
	}
	dir, err := createFolder(doc.File, c.Common.Force)
	if err != nil {
		return err
	}
	defer dir.Abort()
	if err := c.fillLanguage(dir, doc, files, large, write); err != nil {
		return err
	}
	c.tellLanguage(*doc)
	return nil
}

// list counts the files of a folder in.
func (doc *convertedFile) list(files map[string][]byte, large string) {
	doc.Language.Files = append(slices.Sorted(maps.Keys(files)), export.ManifestName, large)
	for _, data := range files {
		doc.Bytes += int64(len(data))
	}
}

// fillLanguage writes the files of a language model into a folder in the making, and puts that in its place.
func (c *call) fillLanguage(dir *outdir.Dir, doc *convertedFile, files map[string][]byte, large string, write func(path string) (*savedModel, error)) error {
	doc.list(files, large)
	about := doc.Language
	saved, err := write(dir.File(large))
	if err != nil {
		return err
	}
	for i := range saved.DataFiles {
		name := filepath.Base(saved.DataFiles[i].File)
		saved.DataFiles[i].File = filepath.Join(doc.File, name)
		about.Files = append(about.Files, name)
	}
	slices.Sort(about.Files)
	doc.Bytes += saved.bytes
	doc.savedModel = saved
	return c.finishLanguage(dir, files, about)
}

// finishLanguage writes what goes along, and the manifest by which graft knows the folder.
func (c *call) finishLanguage(dir *outdir.Dir, files map[string][]byte, about *convertedLanguage) error {
	manifest := export.NewManifest(readVersion().Version)
	manifest.Settings = map[string]any{"verb": c.verb.name, "model_type": about.ModelType, "task": about.Task}
	for name, data := range files {
		if err := dir.WriteFile(name, data); err != nil {
			return folderError(dir.Path(), err)
		}
		manifest.Add(name, data)
	}
	if err := writeManifest(dir, manifest); err != nil {
		return folderError(dir.Path(), err)
	}
	if err := dir.Commit(); err != nil {
		return folderError(dir.Path(), err)
	}
	return nil
}

func (c *call) tellLanguage(doc convertedFile) {
	doc.executed = c.executed()
	c.JSON(doc)
	would := ""
	if c.Common.DryRun {
		would = "would write "
	}
	l := doc.Language
	c.Print("%s%s: %s for %s, %s parameters, %s", would, doc.File, l.ModelType, l.Task, grouped(l.Parameters), size(doc.Bytes))
	c.printConversion(doc)
	if n := len(l.Ignored); n > 0 {
		c.Print("left out: %s of the input (buffers, copies, other heads); --verbose lists them", counted(n, "tensor"))
	}
}
