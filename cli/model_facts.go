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

	"graft/onnx/gguf"
	"graft/onnx/limits"
	"graft/onnx/tokenizer"
)

// modelFacts are what config.json and the files beside it say that matters to verbs that give texts to a model.
type modelFacts struct {
	ModelType     string   `json:"model_type"`
	Architectures []string `json:"architectures"`
	Positions     int      `json:"max_position_embeddings"`
	NPositions    int      `json:"n_positions"`
	NCtx          int      `json:"n_ctx"`
	Pad           *int     `json:"pad_token_id"`
	End           tokenIDs `json:"eos_token_id"`
	Sentence      int      `json:"max_seq_length"` // of sentence_bert_config.json
	poolingFacts
}

// poolingFacts are what sentence-transformers' 1_Pooling/config.json says: a word, or in older files a mode each.
type poolingFacts struct {
	Pooling pooledBy `json:"pooling_mode"`
	Mean    bool     `json:"pooling_mode_mean_tokens"`
	CLS     bool     `json:"pooling_mode_cls_token"`
	Max     bool     `json:"pooling_mode_max_tokens"`
	Root    bool     `json:"pooling_mode_mean_sqrt_len_tokens"`
	Last    bool     `json:"pooling_mode_lasttoken"`
	Weights bool     `json:"pooling_mode_weightedmean_tokens"`
}

// pooledBy is one word or several.
type pooledBy []string

func (p *pooledBy) UnmarshalJSON(data []byte) error {
	var one string
	if json.Unmarshal(data, &one) == nil {
		*p = pooledBy{one}
		return nil
	}
	var list []string
	err := json.Unmarshal(data, &list)
	*p = list
	return err
}

// pooling is how a text's vector is made; "" where that is not said, and an error where it is another way than graft has.
func (f *poolingFacts) pooling() (string, error) {
	ways := slices.Clone(f.Pooling)
	for way, is := range map[string]bool{poolMean: f.Mean, poolCLS: f.CLS, "max": f.Max, "mean_sqrt_len_tokens": f.Root, "lasttoken": f.Last, "weightedmean": f.Weights} {
		if is {
			ways = append(ways, way)
		}
	}
	slices.Sort(ways)
	switch ways = slices.Compact(ways); {
	case len(ways) == 0:
		return "", nil
	case len(ways) == 1 && (ways[0] == poolMean || ways[0] == poolCLS):
		return ways[0], nil
	}
	return "", fmt.Errorf("pools by %s: there are %s and %s", limits.Names(ways, 8), poolMean, poolCLS)
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

// readFacts reads the files of the names that there are in a folder: the last that speaks counts.
func readFacts(folder string, names ...string) (f modelFacts, err error) {
	for _, name := range names {
		path := filepath.Join(folder, name)
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		data, err := readText(path)
		if err != nil {
			return f, err
		}
		if err := json.Unmarshal([]byte(data), &f); err != nil {
			return f, refused(path, fmt.Errorf("no JSON of a configuration: %w", err))
		}
	}
	return f, nil
}

// limit is the longest sequence, in tokens that have positions; 0 where it is not said.
func (f *modelFacts) limit() int {
	n := max(f.Positions, f.NPositions)
	if n == 0 {
		n = f.NCtx
	}
	if n > 0 && strings.Contains(f.ModelType, "roberta") { // positions are counted from the one behind that of padding
		pad := 1
		if f.Pad != nil {
			pad = *f.Pad
		}
		n -= pad + 1
	}
	return max(n, 0)
}

// openTokenizer opens the tokenizer that is named, or, where none is, what lies with the model: a folder, a file of a vocabulary, a GGUF
// file, or llama2.c's tokenizer.bin, which has no number of words: words is the model's.
func openTokenizer(named, beside string, words int) (t *tokenizer.Tokenizer, err error) {
	from := named
	if named == "" {
		from = beside
	}
	switch {
	case strings.EqualFold(filepath.Ext(from), ".bin"):
		t, err = llama2cTokenizer(from, words)
	case isGGUFFile(from):
		var f *gguf.File
		if f, err = gguf.Open(from); err == nil {
			defer f.Close()
			t, err = tokenizer.FromGGUF(f)
		}
	default:
		t, err = tokenizer.Open(from)
	}
	switch {
	case err != nil && named == "":
		return nil, &Error{File: from, Err: fmt.Errorf("no tokenizer with the model: %w", err), Code: exitInput,
			Hint: "--tokenizer names one: a tokenizer.json, a folder that has it, a vocab.txt, a .gguf or llama2.c's tokenizer.bin"}
	case err != nil:
		return nil, refused(from, err)
	}
	return t, nil
}

// tokenizerPlace is where the tokenizer of the model at path is looked for: its folder, or itself where it holds a vocabulary.
func tokenizerPlace(path string) string {
	if isFolder(path) || isGGUFFile(path) {
		return path
	}
	return filepath.Dir(path)
}

func llama2cTokenizer(path string, words int) (*tokenizer.Tokenizer, error) {
	f, size, err := limits.OpenRegular(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if size > mostText {
		return nil, fmt.Errorf("%d bytes, a vocabulary has at most %d", size, mostText)
	}
	data := make([]byte, size)
	if err := limits.ReadAt(f, data, 0, "vocabulary"); err != nil {
		return nil, err
	}
	return tokenizer.FromLlama2C(data, words)
}

func isGGUFFile(path string) bool {
	if isFolder(path) {
		return false
	}
	name, err := sniff(path)
	return err == nil && name == "GGUF"
}
