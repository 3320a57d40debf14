package tokenizer

// Roles are the ids of special tokens by what they are for; -1 where there is none.
type Roles struct {
	Begin, End, Unknown, Pad, Class, Separator, Mask int64
}

// roleNames are the words of tokenizer_config.json and special_tokens_map.json, and the texts that tokens of a role usually have.
var roleNames = []struct {
	name  string
	of    func(*Roles) *int64
	texts []string
}{
	{"bos_token", func(r *Roles) *int64 { return &r.Begin }, []string{"<s>", "<|begin_of_text|>", "<|startoftext|>", "<bos>"}},
	{"eos_token", func(r *Roles) *int64 { return &r.End }, []string{"</s>", "<|endoftext|>", "<|end_of_text|>", "<eos>", "<|im_end|>"}},
	{"unk_token", func(r *Roles) *int64 { return &r.Unknown }, []string{"[UNK]", "<unk>"}},
	{"pad_token", func(r *Roles) *int64 { return &r.Pad }, []string{"[PAD]", "<pad>"}},
	{"cls_token", func(r *Roles) *int64 { return &r.Class }, []string{"[CLS]"}},
	{"sep_token", func(r *Roles) *int64 { return &r.Separator }, []string{"[SEP]"}},
	{"mask_token", func(r *Roles) *int64 { return &r.Mask }, []string{"[MASK]", "<mask>"}},
}

// guess takes the tokens with the usual texts.
func (t *Tokenizer) guess() Roles {
	var roles Roles
	for _, row := range roleNames {
		*row.of(&roles) = -1
		for _, text := range row.texts {
			if id, ok := t.ids[text]; ok {
				*row.of(&roles) = id
				break
			}
		}
	}
	return roles
}
