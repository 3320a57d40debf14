package cli

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/urfave/cli/v2"

	"graft/cli/outdir"
	"graft/export"
	"graft/export/language"
	"graft/onnx"
)

// languageFlags are those of graft convert for language models.
var languageFlags = []cli.Flag{
	choice("task", "", "what a language model is for, which says what head it has (default: by its config.json)", language.Tasks()...).under("Language models"),
}

// modelName is the network's file in Optimum's layout.
const modelName = "model.onnx"

// convertedLanguage is what graft convert --json says of a language model.
type convertedLanguage struct {
	ModelType  string   `json:"model_type"`
	Task       string   `json:"task"`
	Parameters int64    `json:"parameters"`
	Files      []string `json:"files,omitempty"`           // of the folder
	Ignored    []string `json:"ignored_tensors,omitempty"` // of the input that the network does not have
}

// isFolder reports whether path is a folder.
func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// openLanguage opens a pretrained language model; nil where path holds none.
func (c *call) openLanguage(path string) (s *language.Source, err error) {
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
	if task := c.Text("task"); task != "" {
		if err := s.SetTask(task); err != nil {
			return nil, errors.Join(misuse("--task %s: %v", task, err), s.Close())
		}
	}
	return s, nil
}

// languageModel builds the network of a source.
func (c *call) languageModel(s *language.Source) (*onnx.Model, *convertedLanguage, error) {
	m, err := s.Model(s.Options)
	if err != nil {
		return nil, nil, refused("", err)
	}
	doc := &convertedLanguage{ModelType: s.Config.ModelType, Task: s.Options.Task, Ignored: s.Ignored}
	if s.Options.Cache {
		doc.Task = language.PastTask
	}
	for _, v := range m.Graph.Initializers() {
		doc.Parameters += v.Const.Len()
	}
	for _, name := range s.Ignored {
		c.Detail("tensor %s is not part of the network", quote(name))
	}
	return m, doc, nil
}

// convertLanguage writes a folder in Optimum's layout: the network, its configuration, the tokenizer's files.
func (c *call) convertLanguage(s *language.Source, out string) error {
	m, about, err := c.languageModel(s)
	if err != nil {
		return err
	}
	w, doc := &content{model: m}, convertedFile{File: out, Format: "folder of Optimum's layout", Language: about}
	if err := c.convertModel(w, &doc); err != nil {
		return err
	}
	about.Files = append(slices.Sorted(maps.Keys(s.Files)), export.ManifestName, modelName)
	slices.Sort(about.Files)
	for _, data := range s.Files {
		doc.Bytes += int64(len(data))
	}
	if c.Common.DryRun {
		saving, err := c.layOut(w.model, filepath.Join(out, modelName))
		if err != nil {
			return err
		}
		doc.Bytes += written(saving)
		err = saving.Close()
		c.tellLanguage(doc)
		return err
	}
	dir, err := createFolder(out, c.Common.Force)
	if err != nil {
		return err
	}
	defer dir.Abort()
	saved, err := c.saveModel(w.model, dir.File(modelName), false, nil)
	if err != nil {
		return err
	}
	for i := range saved.DataFiles {
		name := filepath.Base(saved.DataFiles[i].File)
		saved.DataFiles[i].File = filepath.Join(out, name)
		about.Files = append(about.Files, name)
	}
	doc.Bytes += saved.bytes
	doc.savedModel = saved
	if err := c.finishLanguage(dir, s, about); err != nil {
		return err
	}
	c.tellLanguage(doc)
	return nil
}

// finishLanguage writes what goes along, and the manifest by which graft knows the folder.
func (c *call) finishLanguage(dir *outdir.Dir, s *language.Source, about *convertedLanguage) error {
	manifest := export.NewManifest(readVersion().Version)
	manifest.Settings = map[string]any{"verb": "convert", "model_type": about.ModelType, "task": about.Task}
	for name, data := range s.Files {
		if err := dir.WriteFile(name, data); err != nil {
			return folderError(dir.Path(), err)
		}
		manifest.Add(name, data)
	}
	data, err := manifest.Encode()
	if err == nil {
		err = dir.WriteFile(export.ManifestName, data)
	}
	if err == nil {
		err = dir.Commit()
	}
	if err != nil {
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
