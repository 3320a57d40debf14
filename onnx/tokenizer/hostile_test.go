package tokenizer

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"graft/onnx/limits"
	"graft/onnx/limits/limitstest"
)

// file is a tokenizer.json with a part in place of the usual one.
func file(parts ...string) string {
	fields := map[string]string{"version": `"1.0"`, "added_tokens": "[]", "normalizer": "null", "pre_tokenizer": "null", "post_processor": "null", "decoder": "null",
		"model": `{"type":"BPE","vocab":{"a":0,"b":1,"ab":2},"merges":["a b"]}`}
	for i := 0; i < len(parts); i += 2 {
		fields[parts[i]] = parts[i+1]
	}
	var b strings.Builder
	for _, key := range []string{"version", "added_tokens", "normalizer", "pre_tokenizer", "post_processor", "decoder", "model"} {
		fmt.Fprintf(&b, ",%q:%s", key, fields[key])
	}
	return "{" + b.String()[1:] + fields["more"] + "}"
}

func bpeModel(vocabulary, merges string) string {
	return file("model", `{"type":"BPE","vocab":{`+vocabulary+`},"merges":[`+merges+`]}`)
}

func split(expression string) string {
	e, _ := marshal(expression)
	return file("pre_tokenizer", `{"type":"Split","pattern":{"Regex":`+string(e)+`},"behavior":"Isolated","invert":false}`)
}

// hostile are files that must be refused, with a part of the reason (Y10, Y11, Y12 and their kin).
func hostile() map[string][2]string {
	cases := map[string][2]string{
		"empty":                 {"", "ends"},
		"no object":             {"[]", "expected"},
		"byte order mark":       {"\ufeff" + file(), "expected"},
		"UTF-16":                {"{\x00}\x00", "expected"},
		"more behind":           {file() + "x", "more behind"},
		"NUL behind":            {file() + "\x00", "more behind"},
		"depth":                 {file("normalizer", strings.Repeat(`{"type":"Sequence","normalizers":[`, 20_000)), "deeper"},
		"depth of lists":        {file("padding", strings.Repeat("[", 20_000), "normalizer", strings.Repeat("[", 200_000)), "deeper"},
		"many values":           {file("normalizer", `{"a":[`+strings.Repeat("[],", 1<<20)+"0]}"), "JSON values"},
		"key twice":             {file("more", `,"model":{}`), "twice"},
		"setting twice":         {file("decoder", `{"type":"Fuse","type":"ByteLevel"}`), "twice"},
		"token twice":           {bpeModel(`"a":0,"a":1`, ""), "twice"},
		"token twice, one id":   {bpeModel(`"a":0,"a":0`, ""), "twice"},
		"id twice":              {bpeModel(`"a":0,"b":0`, ""), "id 0 is"},
		"vocabulary twice":      {file("model", `{"type":"BPE","vocab":{"a":0},"vocab":{"b":0},"merges":[]}`), "twice"},
		"negative id":           {bpeModel(`"a":-1`, ""), "id -1"},
		"large id":              {bpeModel(`"a":4294967296`, ""), "id 4.294967296e+09"},
		"half an id":            {bpeModel(`"a":0.5`, ""), "id 0.5"},
		"infinite id":           {bpeModel(`"a":1e400`, ""), "no number"},
		"id with a zero":        {bpeModel(`"a":01`, ""), "no number"},
		"id as text":            {bpeModel(`"a":"0"`, ""), "no number"},
		"gap":                   {bpeModel(`"a":0,"b":2000000000`, ""), "there are 2 tokens"},
		"no tokens":             {bpeModel("", ""), "empty"},
		"no model":              {`{"version":"1.0"}`, "lacking"},
		"version":               {file("version", `"2.0"`), "wants 1.0"},
		"merge of no token":     {bpeModel(`"a":0,"b":1`, `"a c"`), "is no token"},
		"merge to no token":     {bpeModel(`"a":0,"b":1`, `"a b"`), `"ab", which is no token`},
		"merge of one":          {bpeModel(`"a":0`, `"a"`), "two tokens"},
		"merge of three":        {bpeModel(`"a":0`, `["a","a","a"]`), "more than two tokens"},
		"merge of numbers":      {bpeModel(`"a":0`, `[0,0]`), "string was expected"},
		"a million merges":      {bpeModel(`"a":0`, strings.Repeat(`"a q",`, 1_000_000)+`"a q"`), "is no token"},
		"long token":            {bpeModel(`"`+strings.Repeat("a", maxToken+1)+`":0`, ""), "16385 bytes"},
		"lone surrogate":        {bpeModel(`"\ud800":0`, ""), "escape"},
		"two high surrogates":   {bpeModel(`"\ud800\ud800":0`, ""), "escape"},
		"not UTF-8":             {bpeModel("\"\xff\":0", ""), "UTF-8"},
		"control character":     {bpeModel("\"\x01\":0", ""), "control"},
		"unknown part":          {file("more", `,"chat":{}`), "no part"},
		"part is text":          {file("normalizer", `"NFC"`), "no object"},
		"model type":            {file("model", `{"type":"LSTM","vocab":{"a":0}}`), "not done"},
		"model without merges":  {file("model", `{"type":"BPE","vocab":{"a":0}}`), "does not go"},
		"model setting":         {file("model", `{"type":"BPE","vocab":{"a":0},"merges":[],"reverse":true}`), `"reverse" is not known`},
		"dropout":               {file("model", `{"type":"BPE","vocab":{"a":0},"merges":[],"dropout":0.1}`), "drawn"},
		"unknown token":         {file("model", `{"type":"BPE","vocab":{"a":0},"merges":[],"unk_token":"u"}`), "no token"},
		"long words":            {file("model", `{"type":"WordPiece","vocab":{"a":0},"max_input_chars_per_word":2000000000}`), "wants 0 to"},
		"unknown id":            {file("model", `{"type":"Unigram","vocab":[["a",0]],"unk_id":1}`), "there are 1 tokens"},
		"score":                 {file("model", `{"type":"Unigram","vocab":[["a",1e999]]}`), "no number"},
		"score of three":        {file("model", `{"type":"Unigram","vocab":[["a",1,2]]}`), "more items"},
		"added without id":      {file("added_tokens", `[{"content":"x"}]`), "id -1"},
		"added without content": {file("added_tokens", `[{"id":3}]`), "content is lacking"},
		"added with another id": {file("added_tokens", `[{"id":3,"content":"a"}]`), "has the ids 0 and 3"},
		"added for another":     {file("added_tokens", `[{"id":0,"content":"x"}]`), "id 0 is"},
		"added setting":         {file("added_tokens", `[{"id":3,"content":"x","exec":true}]`), "not known"},
		"normalizer":            {file("normalizer", `{"type":"Precompiled","precompiled_charsmap":""}`), `"Precompiled" is not done`},
		"pre_tokenizer":         {file("pre_tokenizer", `{"type":"UnicodeScripts"}`), `"UnicodeScripts" is not done`},
		"decoder":               {file("decoder", `{"type":"CTC"}`), `"CTC" is not done`},
		"post_processor":        {file("post_processor", `{"type":"Own"}`), `"Own" is not done`},
		"behaviour":             {file("pre_tokenizer", `{"type":"Punctuation","behavior":"Away"}`), "not known"},
		"template with no name": {file("post_processor", `{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"x","type_id":0}}],"pair":[],"special_tokens":{}}`), "not known"},
		"template with an id":   {file("post_processor", `{"type":"TemplateProcessing","single":[],"pair":[],"special_tokens":{"a":{"id":"a","ids":[9],"tokens":["a"]}}}`), "0 in the vocabulary"},
		"template of many":      {file("post_processor", `{"type":"TemplateProcessing","single":[`+strings.Repeat(`{"Sequence":{"id":"A","type_id":0}},`, 99)+`{"Sequence":{"id":"A","type_id":0}}],"pair":[],"special_tokens":{}}`), "at most 64"},
		"truncation":            {file("more", `,"truncation":{"max_length":-1}`), "max_length"},
		"empty delimiter":       {file("pre_tokenizer", `{"type":"CharDelimiterSplit","delimiter":""}`), "lacking"},
		"negative strip":        {file("decoder", `{"type":"Strip","content":" ","start":-1,"stop":0}`), "negative"},
	}
	for expression, reason := range map[string]string{`a(?!b)`: "negative look-ahead", `a(?=b)`: "look-ahead (?=", `(?<=a)b`: "look-behind", `(?<!a)b`: "negative look-behind", `(?>a+)b`: "atomic", `a++b`: "possessive",
		`\s+(?!\S)`: "negative look-ahead", `(\s+(?!\S)|\s+)`: "negative look-ahead", `[a[b]]`: "class in a class", `[a&&b]`: "intersection", `\bword`: `escape \b`, `(a)\1`: `escape \1`, `\p{Nothing}`: "not known",
		`(?<name>a)`: "is not done", `[a`: "without an end", `a{2000}{2000}`: "not one of Go's", `(a`: "not one of Go's", `a\`: "backslash", strings.Repeat("a", 5000): "at most 4096"} {
		cases["pattern "+expression[:min(20, len(expression))]] = [2]string{split(expression), reason}
	}
	return cases
}

func TestHostile(t *testing.T) {
	if _, err := Parse([]byte(file())); err != nil {
		t.Fatal(err)
	}
	for name, c := range hostile() {
		var err error
		used := limitstest.CPU(t, func() { _, err = Parse([]byte(c[0])) })
		var refused *limits.InputError
		if !errors.As(err, &refused) || !strings.Contains(err.Error(), c[1]) || len(err.Error()) > 6000 {
			t.Errorf("%s: %.300v, want %s", name, err, c[1])
		}
		if used > time.Second {
			t.Errorf("%s: %v", name, used)
		}
	}
	whole := file("normalizer", `{"type":"NFC"}`, "decoder", `{"type":"Fuse"}`)
	for n := range len(whole) {
		if _, err := Parse([]byte(whole[:n])); err == nil {
			t.Errorf("%d of %d bytes are a tokenizer", n, len(whole))
		}
	}
}

// TestHostileText: no text takes more than a time in proportion to its length, whatever the tokenizer.
func TestHostileText(t *testing.T) {
	texts := map[string]string{"a word": strings.Repeat("a", 30_000), "words": strings.Repeat("ab ", 10_000), "marks": "e" + strings.Repeat("\u0301\u0323", 8_000), "spaces": strings.Repeat(" ", 30_000),
		"newlines": strings.Repeat("\r\n", 15_000), "ideographs": strings.Repeat("中", 10_000), "tokens": strings.Repeat("<s>[MASK]<|endoftext|>", 1_500), "punctuation": strings.Repeat("''", 15_000)}
	for name, g := range goldens(t) {
		tok := llama2c(t)
		if g.Name != "llama2c" {
			var err error
			if tok, err = Parse(g.Tokenizer); err != nil {
				t.Fatal(err)
			}
		}
		for kind, text := range texts {
			used := limitstest.CPU(t, func() {
				e, err := tok.Encode(text)
				if err != nil {
					t.Errorf("%s, %s: %v", name, kind, err)
				}
				tok.Decode(e.IDs, false)
			})
			if used > time.Second {
				t.Errorf("%s, %s: %v", name, kind, used)
			}
		}
	}
	tok, err := Parse([]byte(split(`(a+)+$`)))
	if err != nil {
		t.Fatal(err)
	}
	if used := limitstest.CPU(t, func() { _, err = tok.Encode(strings.Repeat("a", 10_000) + "b") }); used > time.Second || err != nil {
		t.Error(used, err)
	}
	for _, bad := range []string{"\xff", "a\xed\xa0\x80", "\xc0\x80", "\xf4\x90\x80\x80"} {
		if _, err := tok.Encode(bad); err == nil || !strings.Contains(err.Error(), "UTF-8") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestHostileLlama2C(t *testing.T) {
	whole, err := os.ReadFile("testdata/tok512.bin")
	if err != nil {
		t.Fatal(err)
	}
	change := func(at int, b ...byte) []byte {
		c := append([]byte(nil), whole...)
		copy(c[at:], b)
		return c
	}
	for name, c := range map[string]struct {
		b          []byte
		vocabulary int
		reason     string
	}{
		"empty": {nil, 0, "declared"}, "longest": {change(0, 255, 255, 255, 255), 0, "longest token"}, "more": {append(change(0), 0), 512, "behind 512"}, "half": {whole[:3000], 0, ""},
		"length": {change(8, 255, 255, 255, 255), 0, "bytes, wants"}, "length 0": {change(8, 0), 0, "bytes, wants"}, "score": {change(4, 0, 0, 192, 127), 0, "NaN"},
		"text": {change(12, 255), 0, "UTF-8"}, "few": {whole, 511, "behind 511"}, "many": {whole, 513, "the model has 513"}, "bytes": {change(0x38, 'x'), 0, "wants <0x"},
	} {
		var refused *limits.InputError
		if _, err := FromLlama2C(c.b, c.vocabulary); !errors.As(err, &refused) || !strings.Contains(err.Error(), c.reason) {
			t.Errorf("%s: %v, want %s", name, err, c.reason)
		}
	}
}

func TestHostileGGUF(t *testing.T) {
	for name, c := range map[string]struct {
		m      metadata
		reason string
	}{
		"nothing":      {metadata{}, "tokens"},
		"no texts":     {metadata{"model": "gpt2", "tokens": []int32{1}}, "no list of texts"},
		"no merges":    {metadata{"model": "gpt2", "tokens": []string{"a"}}, "merges"},
		"merge":        {metadata{"model": "gpt2", "tokens": []string{"a"}, "merges": []string{"a"}}, "two tokens"},
		"missing":      {metadata{"model": "gpt2", "tokens": []string{"a"}, "merges": []string{"a b"}}, "no token"},
		"twice":        {metadata{"model": "gpt2", "tokens": []string{"a", "a"}, "merges": []string{}}, "twice"},
		"not UTF-8":    {metadata{"model": "gpt2", "tokens": []string{"\xff"}, "merges": []string{}}, "UTF-8"},
		"way of split": {metadata{"model": "gpt2", "pre": "own", "tokens": []string{"a"}, "merges": []string{}}, `"own" is not done`},
		"model":        {metadata{"model": "rwkv", "tokens": []string{"a"}}, `"rwkv" is not done`},
		"model number": {metadata{"model": uint32(1), "tokens": []string{"a"}}, "no text"},
		"role":         {metadata{"model": "llama", "tokens": []string{"a"}, "bos_token_id": uint32(1)}, "there are 1 tokens"},
		"negative":     {metadata{"model": "llama", "tokens": []string{"a"}, "bos_token_id": int64(-5)}, "there are 1 tokens"},
		"flag":         {metadata{"model": "llama", "tokens": []string{"a"}, "add_bos_token": "yes"}, "truth value"},
		"scores":       {metadata{"model": "llama", "tokens": []string{"a"}, "scores": []float32{1, 2}}, "list of 1 numbers"},
		"types":        {metadata{"model": "llama", "tokens": []string{"a"}, "token_type": []int32{9}}, "token 0 has 9"},
		"long":         {metadata{"model": "llama", "tokens": []string{strings.Repeat("a", 300)}}, "300 bytes"},
	} {
		var refused *limits.InputError
		if _, err := FromGGUF(c.m); !errors.As(err, &refused) || !strings.Contains(err.Error(), c.reason) {
			t.Errorf("%s: %v, want %s", name, err, c.reason)
		}
	}
}

func TestFolder(t *testing.T) {
	dir := t.TempDir()
	put := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), "no tokenizer.json, no vocab.json") {
		t.Error(err)
	}
	put("vocab.txt", "[PAD]\r\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nA\na\n")
	put("tokenizer_config.json", `{"do_lower_case": false, "model_max_length": 512, "mask_token": {"content": "A", "lstrip": false}}`)
	tok, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if e, err := tok.Encode("A a"); err != nil || fmt.Sprint(e.IDs) != "[2 5 6 3]" || tok.Longest != 512 || tok.Roles.Mask != 5 || tok.Roles.Class != 2 {
		t.Error(e, err, tok.Longest, tok.Roles)
	}
	put("special_tokens_map.json", `{"mask_token": "[MASK]", "mask_token": "[MASK]"}`)
	if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), "special_tokens_map.json: JSON: key \"mask_token\" twice") {
		t.Error(err)
	}
	put("special_tokens_map.json", `{}`)
	put("vocab.json", `{"a":0,"b":1,"ab":2}`)
	put("merges.txt", "#version: 0.2\na b c\n")
	if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), "line 2 is not two tokens") {
		t.Error(err)
	}
	put("merges.txt", "a b\n")
	if tok, err = Open(dir); err != nil {
		t.Fatal(err)
	}
	if e, err := tok.Encode("aab"); err != nil || fmt.Sprint(e.IDs) != "[0 2]" {
		t.Error(e, err)
	}
	put("tokenizer.json", file("model", `{"type":"BPE","vocab":{"x":0},"merges":[]}`))
	if tok, err = Open(dir); err != nil || tok.Size() != 1 {
		t.Error(err)
	}
	if err := os.Remove(filepath.Join(dir, "tokenizer.json")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "tokenizer.json"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Error(err)
	}
}

// TestLossy: bytes that are no text as Rust and Python write them.
func TestLossy(t *testing.T) {
	for in, want := range map[string]string{"a\xffb": "a\ufffdb", "\xe4\xb8": "\ufffd", "\xe4\xb8\xe4\xb8\xad": "\ufffd中", "\xf0\x9f\x98": "\ufffd", "\xf0\x9f\x98a": "\ufffda", "\xed\xa0\x80": "\ufffd\ufffd\ufffd",
		"\xf4\x90\x80\x80": "\ufffd\ufffd\ufffd\ufffd", "\xc0\x80": "\ufffd\ufffd", "\xe0\x80": "\ufffd\ufffd", "\x80\x80": "\ufffd\ufffd", "\xf0\x9f": "\ufffd", "\xc3": "\ufffd", "\xc3\xc3\xa4": "\ufffdä"} {
		if got := lossy(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(file()), "ab")
	f.Add([]byte(split(`\p{L}+|\s+(?!\S)|\s+`)), "a b  c")
	f.Add([]byte(file("normalizer", `{"type":"Sequence","normalizers":[{"type":"NFKC"},{"type":"Strip"}]}`, "decoder", `{"type":"Sequence","decoders":[{"type":"ByteFallback"},{"type":"Fuse"}]}`)), "é")
	f.Add([]byte(file("model", `{"type":"Unigram","vocab":[["<unk>",0],["a",-1.5],["▁a",-2]],"unk_id":0}`, "pre_tokenizer", `{"type":"Metaspace"}`)), "a a")
	f.Fuzz(func(t *testing.T, b []byte, text string) {
		tok, err := Parse(b)
		if err != nil {
			return
		}
		if e, err := tok.Encode(text); err == nil {
			tok.Decode(e.IDs, true)
			for _, id := range e.IDs {
				if _, ok := tok.Token(id); !ok {
					t.Fatalf("%q gives id %d, which is no token's", text, id)
				}
			}
		}
	})
}
