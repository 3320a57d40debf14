package tokenizer

import (
	"strings"

	"graft/onnx/limits"
)

const mostCharacters = 1 << 20 // of a word that WordPiece cuts

// newModel makes the model of a file; raw is set where pieces are bytes.
func newModel(c *content, raw bool) (model, string, error) {
	s := &settings{o: c.model, field: "model"}
	kind := s.text("type", "")
	if kind == "" { // files of before 2020 do not say
		switch {
		case c.hasMerges:
			kind = "BPE"
		case c.listed:
			kind = "Unigram"
		default:
			kind = "WordPiece"
		}
	}
	if c.listed != (kind == "Unigram") || c.hasMerges != (kind == "BPE") {
		return nil, "", limits.Refuse("model", "type %s does not go with its vocabulary and merges", limits.Name(kind))
	}
	v := vocabulary{make(map[string]int32, len(c.words))}
	for _, w := range c.words {
		v.ids[w.text] = w.id
	}
	var m model
	var err error
	switch kind {
	case "BPE":
		m, err = newBPE(s, v, c.merges, raw)
	case "WordPiece":
		m = newWordPiece(s, v)
	case "WordLevel":
		m = &wordLevel{v, s.text("unk_token", "")}
	case "Unigram":
		unknown := s.integer("unk_id", -1)
		if unknown >= len(c.words) || unknown < -1 {
			s.fail("unk_id", "is %d, there are %d tokens", unknown, len(c.words))
		}
		scores := make([]float64, len(c.words))
		for i, w := range c.words {
			scores[i] = w.score
		}
		m = newUnigram(v, scores, int32(unknown), s.flag("byte_fallback", false))
	default:
		return nil, "", limits.Refuse("model", "type %s is not done", limits.Name(kind))
	}
	if raw && kind != "BPE" && err == nil {
		m = visibly{m}
	}
	if err == nil {
		err = s.end()
	}
	return m, kind, err
}

// visibly writes bytes as visible characters for a model that knows no bytes.
type visibly struct{ model }

func (v visibly) encode(ids []int64, piece string) ([]int64, error) {
	return v.model.encode(ids, visible(piece))
}

func newBPE(s *settings, v vocabulary, merges [][2]string, raw bool) (*bpe, error) {
	m := &bpe{vocabulary: v, unknown: -1, prefix: s.text("continuing_subword_prefix", ""), suffix: s.text("end_of_word_suffix", ""),
		fuse: s.flag("fuse_unk", false), bytes: s.flag("byte_fallback", false), whole: s.flag("ignore_merges", false), raw: raw}
	switch dropout := s.get("dropout").(type) {
	case nil:
	case float64:
		if dropout != 0 {
			s.fail("dropout", "is %v: tokens would be drawn", dropout)
		}
	default:
		s.fail("dropout", "is no number")
	}
	if unknown := s.text("unk_token", ""); unknown != "" {
		if m.unknown = v.id(unknown); m.unknown < 0 {
			s.fail("unk_token", "%s is no token", limits.Name(unknown))
		}
	}
	m.setBytes()
	var err error
	m.merges, err = newMerges(&m.vocabulary, merges, m.prefix)
	return m, err
}

func newWordPiece(s *settings, v vocabulary) *wordPiece {
	m := &wordPiece{vocabulary: v, unknown: s.text("unk_token", "[UNK]"), prefix: s.text("continuing_subword_prefix", "##"),
		most: s.integer("max_input_chars_per_word", 100), parts: map[string]int32{}}
	if m.most < 0 || m.most > mostCharacters {
		s.fail("max_input_chars_per_word", "is %d, wants 0 to %d", m.most, mostCharacters)
	}
	for text, id := range v.ids {
		m.longest = max(m.longest, len(text))
		if rest, ok := strings.CutPrefix(text, m.prefix); ok {
			m.parts[rest] = id
		}
	}
	return m
}

// cutMerge cuts "left right" at its only space.
func cutMerge(s string) (m [2]string, ok bool) {
	left, right, ok := strings.Cut(s, " ")
	return [2]string{left, right}, ok && !strings.Contains(right, " ")
}
