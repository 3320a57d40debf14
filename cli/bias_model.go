package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"graft/export/language"
	net "graft/graphs/language"
	"graft/onnx"
	"graft/onnx/tokenizer"
	"graft/training/metric/bias"
	"graft/training/metric/bias/session"
)

// The kinds of language models.
const (
	kindMasked  = "masked"
	kindCausal  = "causal"
	kindEncoder = "encoder"
)

// biasModel is a model that is measured.
type biasModel struct {
	bias.Model
	session *session.Model
	words   *tokenizer.Tokenizer
	network *onnx.Model
	about   biasAbout
}

// biasAbout is what graft bias --json says of the model.
type biasAbout struct {
	Path       string `json:"path"`
	Kind       string `json:"kind"`
	Vocabulary int64  `json:"vocabulary,omitempty"`
	Tokens     int    `json:"tokens"`          // of the tokenizer
	Limit      int    `json:"limit,omitempty"` // the longest sequence
	// SelfDebias is what is put before each sentence.
	SelfDebias []string `json:"self_debias,omitempty"`
}

// kind is masked or causal; "" where it is not said.
func (f *modelFacts) kind() string {
	for _, a := range f.Architectures {
		switch {
		case strings.HasSuffix(a, "ForMaskedLM"), strings.HasSuffix(a, "ForPreTraining"):
			return kindMasked
		case strings.HasSuffix(a, "ForCausalLM"), strings.HasSuffix(a, "LMHeadModel"):
			return kindCausal
		}
	}
	switch {
	case net.Decoder(f.ModelType):
		return kindCausal
	case slices.Contains(net.ModelTypes(), f.ModelType):
		return kindMasked
	}
	return ""
}

// openBias opens a language model, with the tokenizer at tokens or, where that is "", beside it.
func (c *call) openBias(path, tokens string) (*biasModel, error) {
	m, facts, err := c.biasNetwork(path)
	if err != nil {
		return nil, err
	}
	s, err := session.New(m, c.runtimeOptions())
	if err != nil {
		return nil, refused(path, err)
	}
	t, err := openTokenizer(tokens, tokenizerPlace(path), int(s.Vocabulary()))
	if err != nil {
		return nil, err
	}
	out := &biasModel{session: s, network: m, words: t, about: biasAbout{Path: path, Vocabulary: s.Vocabulary(), Tokens: t.Size(), Limit: facts.limit()}}
	if out.about.Limit == 0 && t.Longest < 1<<20 {
		out.about.Limit = t.Longest
	}
	switch v := out.about.Vocabulary; {
	case v > 0 && int64(t.Size()) > v:
		return nil, &Error{File: path, Code: exitInput, Reason: fmt.Sprintf("the tokenizer has %d tokens, the model a vocabulary of %d", t.Size(), v),
			Hint: "they do not belong together: --tokenizer names the model's own"}
	case v > int64(t.Size()):
		c.Say("%s: the tokenizer has %d tokens, the model a vocabulary of %d: %d of it are never used", path, t.Size(), v, v-int64(t.Size()))
	}
	out.Tokenizer, out.Limit, out.Encoder, out.Next = session.Tokenizer(t), out.about.Limit, s.Encoder(), s.Next()
	out.about.Kind = c.biasKind(m, s, &facts, t)
	switch out.about.Kind {
	case kindMasked:
		out.Masked = s.Masked()
		if _, _, ok := out.Tokenizer.Mask(); !ok {
			return nil, &Error{File: path, Reason: "the tokenizer has no mask token, which a masked language model wants", Code: exitInput,
				Hint: "special_tokens_map.json names it; --kind causal where the model is one"}
		}
	case kindCausal:
		out.Causal = s.Causal()
	}
	if c.Text("kind") != "" && out.Masked == nil && out.Causal == nil {
		return nil, misuse("--kind %s: the model gives no logits over words", c.Text("kind"))
	}
	return out, nil
}

// debias has the model of the first argument answer by Self-Debias, where that is asked for.
func (c *call) debias(m *biasModel) error {
	if err := c.checkSelfDebias(); err != nil {
		return err
	}
	texts := c.selfDebiasPrefixes()
	switch {
	case len(texts) == 0:
		return nil
	case m.Causal == nil && m.Masked == nil:
		return misuse("--self-debias is for models that give logits over words, this one is an %s", m.about.Kind)
	}
	d, err := c.selfDebias(m.words, nil)
	if err != nil {
		return err
	}
	m.about.SelfDebias = texts
	if m.Masked != nil {
		begin := int64(-1)
		if e, err := m.words.Encode(""); err == nil && len(e.IDs) > 0 {
			begin = e.IDs[0]
		}
		m.Masked = m.session.SelfDebiased(*d, begin)
	} else {
		begin, ok := m.Tokenizer.Start()
		if !ok {
			begin = -1
		}
		m.Causal = m.session.SelfDebiased(*d, begin)
	}
	if m.Limit > 0 {
		longest := 0
		for _, p := range d.Prefixes {
			longest = max(longest, len(p))
		}
		if m.Limit -= longest; m.Limit < 1 {
			return misuse("--self-debias has %d tokens, the model takes %d", longest, m.about.Limit)
		}
	}
	return nil
}

// biasKind says whether logits are those of a masked or a causal model.
func (c *call) biasKind(m *onnx.Model, s *session.Model, facts *modelFacts, t *tokenizer.Tokenizer) string {
	if s.Masked() == nil {
		return kindEncoder
	}
	if kind := c.Text("kind"); kind != "" {
		return kind
	}
	if kind := facts.kind(); kind != "" {
		return kind
	}
	cache := slices.ContainsFunc(m.Graph.Inputs(), func(v *onnx.Value) bool { return strings.HasPrefix(v.Name, "past_key_values") })
	if _, mask := t.Token(t.Roles.Mask); mask && !cache {
		return kindMasked
	}
	return kindCausal
}

// biasNetwork reads the network at a path: model.onnx of a folder, a file of ONNX, or weights of which the network is built.
func (c *call) biasNetwork(path string) (*onnx.Model, modelFacts, error) {
	folder, file := filepath.Dir(path), path
	if isFolder(path) {
		folder, file = path, filepath.Join(path, language.ModelName)
	}
	facts, err := readFacts(folder, language.ConfigName)
	if err != nil {
		return nil, facts, err
	}
	if _, err := os.Stat(file); isFolder(path) && err != nil && !language.IsFolder(path) {
		return nil, facts, &Error{File: path, Code: exitInput, Reason: "has neither model.onnx nor config.json with weights",
			Hint: "graft convert IN --out FOLDER makes a folder of a model"}
	} else if err == nil {
		if name, _ := sniff(file); name != "GGUF" && name != "llama2.c" {
			m, err := c.loadModel(file)
			return m, facts, err
		}
	}
	source, err := c.openLanguage(path)
	if err != nil {
		return nil, facts, err
	}
	if source == nil {
		return nil, facts, refused(path, fmt.Errorf("is no language model"))
	}
	defer source.Close()
	o := source.Options
	o.Cache = false
	m, err := source.Model(o)
	if err != nil {
		return nil, facts, refused("", err)
	}
	facts = modelFacts{ModelType: source.Config.ModelType, Positions: int(source.Config.MaxPositionEmbeddings)}
	return m, facts, nil
}

// Close closes the sessions.
func (m *biasModel) Close() error { return m.session.Close() }
