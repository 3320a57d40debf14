package language

import (
	"encoding/json"
	"path/filepath"
	"strings"

	"graft/onnx/gguf"
	"graft/onnx/limits"
	"graft/onnx/tokenizer"
)

const (
	tokenizerName       = "tokenizer.json"
	tokenizerConfigName = "tokenizer_config.json"
)

// ReadTokenizer puts the tokenizer of a file in the place of the source's own: a folder of Hugging Face, one of its files, or, by the
// extension .bin, llama2.c's.
func (s *Source) ReadTokenizer(path string) error {
	if !strings.EqualFold(filepath.Ext(path), ".bin") {
		t, err := tokenizer.Open(path)
		if err != nil {
			return err
		}
		return s.SetTokenizer(t, "")
	}
	f, size, err := limits.OpenRegular(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if size > mostTokenizer {
		return limits.InFile(path, limits.Refuse("", "%d bytes, at most %d", size, mostTokenizer))
	}
	data := make([]byte, size)
	if err := limits.ReadAt(f, data, 0, ""); err != nil {
		return limits.InFile(path, err)
	}
	t, err := tokenizer.FromLlama2C(data, int(s.Config.VocabSize))
	if err != nil {
		return limits.InFile(path, err)
	}
	return s.SetTokenizer(t, "")
}

// SetTokenizer puts a tokenizer in the place of the source's own.
func (s *Source) SetTokenizer(t *tokenizer.Tokenizer, chatTemplate string) error {
	if err := s.fits(t); err != nil {
		return limits.InFile(s.name, err)
	}
	about := map[string]any{"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": s.Config.MaxPositionEmbeddings}
	for name, id := range map[string]int64{"bos_token": t.Roles.Begin, "eos_token": t.Roles.End, "unk_token": t.Roles.Unknown, "pad_token": t.Roles.Pad,
		"cls_token": t.Roles.Class, "sep_token": t.Roles.Separator, "mask_token": t.Roles.Mask} {
		if token, ok := t.Token(id); ok {
			about[name] = token
		}
	}
	if chatTemplate != "" {
		about["chat_template"] = chatTemplate
	}
	data, err := json.MarshalIndent(about, "", "  ")
	if err != nil {
		return err
	}
	s.keys = nil
	s.Files[tokenizerName], s.Files[tokenizerConfigName] = t.JSON(), append(data, '\n')
	return nil
}

// fits refuses a tokenizer that gives numbers which the model has no row for.
func (s *Source) fits(t *tokenizer.Tokenizer) error {
	if n := int64(t.Size()); n > s.Config.VocabSize {
		return limits.Refuse("tokenizer", "has %d tokens, the model %d", n, s.Config.VocabSize)
	}
	return nil
}

// fromGGUFTokenizer makes tokenizer.json of the vocabulary of a GGUF file, which keeps its own form beside. A vocabulary that is not
// read is left out, and said so in Notes.
func (s *Source) fromGGUFTokenizer(f *gguf.File) error {
	if model, ok := f.String("tokenizer.ggml.model"); !ok || model == "no_vocab" {
		return nil
	}
	t, err := tokenizer.FromGGUF(f)
	if err != nil {
		s.Notes = append(s.Notes, "the tokenizer is left out: "+err.Error())
		return nil
	}
	keys := s.keys
	template, _ := f.String("tokenizer.chat_template")
	err = s.SetTokenizer(t, template)
	s.keys = keys
	return err
}
