package language

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"graft/onnx"
	"graft/onnx/gguf/gguftest"
	"graft/onnx/limits"
	"graft/onnx/safetensors"
)

// copied is a golden's folder whose files a test may change.
func copied(t *testing.T, name string) string {
	t.Helper()
	dir := t.TempDir()
	for _, file := range []string{ConfigName, safeFile} {
		data, err := os.ReadFile(filepath.Join("testdata", name, file))
		if err != nil {
			t.Fatal(err)
		}
		put(t, dir, file, data)
	}
	return dir
}

func put(t *testing.T, dir, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// refused wants a folder to be refused in one line that holds all of want.
func refused(t *testing.T, dir string, want ...string) {
	t.Helper()
	s, err := OpenFolder(dir)
	if err == nil {
		defer s.Close()
		_, err = s.Model(s.Options)
	}
	var in *limits.InputError
	if !errors.As(err, &in) {
		t.Fatalf("%v, wants to be refused for %q", err, want)
	}
	for _, w := range want {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%q is not in: %v", w, err)
		}
	}
	if strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), dir) {
		t.Errorf("not one line with the file's name: %v", err)
	}
}

// changed writes a golden's config.json with members in the place of others; an empty one is taken out.
func changed(t *testing.T, name string, members map[string]string) string {
	t.Helper()
	dir := copied(t, name)
	data, err := os.ReadFile(filepath.Join(dir, ConfigName))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]json.RawMessage{}
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	for key, v := range members {
		if all[key] = json.RawMessage(v); v == "" {
			delete(all, key)
		}
	}
	if data, err = json.Marshal(all); err != nil {
		t.Fatal(err)
	}
	put(t, dir, ConfigName, data)
	return dir
}

func TestHostileConfig(t *testing.T) {
	for _, c := range []struct {
		name    string
		members map[string]string
		want    []string
	}{
		{"bert", map[string]string{"num_hidden_layers": "1000000000", "hidden_size": "0"}, []string{"num_hidden_layers is 1000000000, wants 1 to 512", "hidden_size is 0"}},
		{"bert", map[string]string{"num_attention_heads": "3"}, []string{"hidden_size 8 is no multiple of 3 heads"}},
		{"bert", map[string]string{"vocab_size": "-1", "type_vocab_size": "1e30"}, []string{"type_vocab_size: wants a whole number"}},
		{"bert", map[string]string{"vocab_size": `"29"`, "layer_norm_eps": "true", "hidden_act": "7"}, []string{"vocab_size: wants a whole number", "layer_norm_eps: wants a number", "hidden_act: wants a text"}},
		{"bert", map[string]string{"hidden_act": `"mish\u001b[2J"`}, []string{`unknown hidden_act "mish\x1b[2J"`, "gelu, gelu_fast"}},
		{"bert", map[string]string{"position_embedding_type": `"relative_key"`, "is_decoder": "true"}, []string{"position_embedding_type", "is_decoder"}},
		{"bert", map[string]string{"quantization_config": `{"bits": 4}`}, []string{"quantization_config"}},
		{"bert", map[string]string{"layer_norm_eps": "-1"}, []string{"epsilon of norms is -1"}},
		{"bert", map[string]string{"model_type": `"mamba"`}, []string{`unknown model_type "mamba"`, `architecture "BertModel"`, "bert, distilbert, gpt2, llama, roberta"}},
		{"bert", map[string]string{"model_type": ""}, []string{"model_type is missing"}},
		{"bert", map[string]string{"architectures": `["BertForQuestionAnswering"]`}, []string{`the head of "BertForQuestionAnswering" is not built: --task gives another`}},
		{"bert", map[string]string{"architectures": `[7]`}, []string{"architectures: wants a list of texts"}},
		{"bert", map[string]string{"architectures": `["BertForCausalLM"]`}, []string{"bert has no task text-generation"}},
		{"llama", map[string]string{"num_key_value_heads": "3"}, []string{"2 heads for 3 key-value heads"}},
		{"llama", map[string]string{"head_dim": "3"}, []string{"head_dim is 3"}},
		{"llama-grouped", map[string]string{"partial_rotary_factor": "0.5"}, []string{"partial_rotary_factor"}},
		{"llama", map[string]string{"rope_parameters": `{"rope_type": "yarn", "factor": 2}`}, []string{`unknown rope_type "yarn"`}},
		{"llama", map[string]string{"rope_parameters": `{"rope_type": "llama3", "factor": 2}`}, []string{"low_freq_factor"}},
		{"llama", map[string]string{"rope_parameters": `{"rope_type": "linear"}`}, []string{"factor of rope_scaling is 0"}},
		{"roberta", map[string]string{"pad_token_id": "-1"}, []string{"pad_token_id is missing"}},
		{"bert", map[string]string{"vocab_size": "4194304", "hidden_size": "65536", "intermediate_size": "1048576", "num_hidden_layers": "512", "num_attention_heads": "1024"}, []string{"more than"}},
	} {
		refused(t, changed(t, c.name, c.members), c.want...)
	}
}

func TestHostileJSON(t *testing.T) {
	for text, want := range map[string]string{
		"": "ends too early", "[]": "no JSON object", "{": "ends too early", "{} {}": "something stands behind", "\xff{}": "not UTF-8", "{'a':1}": "no JSON at byte",
		`{"model_type":"bert","model_type":"gpt2"}`: `key "model_type" twice`, `{"a":{"b":1,"\u0062":2}}`: `key "b" twice`,
		`{"a":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + "}": "nested deeper than 32",
		`{"a":` + strings.Repeat("[", 100000):                               "nested deeper than 32",
		`{"a":[` + strings.Repeat("1,", 1<<20) + `1]}`:                      "more than 1048576 values", "null": "no JSON object",
		strings.Repeat(" ", maxConfig+1): "at most",
	} {
		dir := copied(t, "bert")
		put(t, dir, ConfigName, []byte(text))
		refused(t, dir, want)
	}
}

func TestHostileFolder(t *testing.T) {
	refused(t, t.TempDir(), "has no config.json, which says what the model is")
	dir := copied(t, "bert")
	if err := os.Remove(filepath.Join(dir, safeFile)); err != nil {
		t.Fatal(err)
	}
	refused(t, dir, "has no weights: neither model.safetensors nor pytorch_model.bin")

	put(t, dir, safeFile+".index.json", []byte(`{"metadata":{},"weight_map":{"a":"../x.safetensors"}}`))
	refused(t, dir, "is no name of a .safetensors file beside the index")
	put(t, dir, safeFile+".index.json", []byte(`{"metadata":{},"weight_map":{"a":"x.safetensors","a":"x.safetensors"}}`))
	refused(t, dir, `tensor "a" twice`)
	put(t, dir, safeFile+".index.json", []byte(`{"metadata":{},"weight_map":{"a":"x.safetensors","b":"y.safetensors"}}`))
	refused(t, dir, `files that are not there: "x.safetensors", "y.safetensors"`)

	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{ConfigName, safeFile, "tokenizer.json"} {
		dir := copied(t, "bert")
		_ = os.Remove(filepath.Join(dir, name))
		if err := os.Symlink(secret, filepath.Join(dir, name)); err != nil {
			t.Skip(err)
		}
		refused(t, dir, "is a link that leads out of the folder")
		_ = os.Remove(filepath.Join(dir, name))
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
		refused(t, dir, "not a regular file")
	}
}

// TestCacheOfHuggingFace reads a snapshot, whose files are links to blobs.
func TestCacheOfHuggingFace(t *testing.T) {
	from := copied(t, "bert")
	repository := t.TempDir()
	snapshot := filepath.Join(repository, "snapshots", "abc")
	for _, dir := range []string{snapshot, filepath.Join(repository, "blobs")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{ConfigName, safeFile} {
		if err := os.Rename(filepath.Join(from, name), filepath.Join(repository, "blobs", "x"+name)); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink("../../blobs/x"+name, filepath.Join(snapshot, name)); err != nil {
			t.Skip(err)
		}
	}
	s := open(t, snapshot)
	if _, err := s.Model(s.Options); err != nil {
		t.Error(err)
	}
}

// weights writes changed tensors of a golden.
func weights(t *testing.T, name string, change func([]*onnx.Tensor) []*onnx.Tensor) string {
	t.Helper()
	dir := copied(t, name)
	list, _, err := safetensors.ReadFile(filepath.Join(dir, safeFile))
	if err != nil {
		t.Fatal(err)
	}
	data, err := safetensors.Encode(change(list), nil)
	if err != nil {
		t.Fatal(err)
	}
	put(t, dir, safeFile, data)
	return dir
}

func named(name string, dims ...int64) *onnx.Tensor {
	t := onnx.NewTensor(onnx.Float, dims...)
	t.Name = name
	return t
}

// TestTensors: everything that is wrong with the weights is in one error.
func TestTensors(t *testing.T) {
	dir := weights(t, "llama", func(list []*onnx.Tensor) []*onnx.Tensor {
		out := []*onnx.Tensor{named("model.layers.2.mlp.up_proj.weight", 12, 8), named("mystery", 1), named("model.norm.weight", 9)}
		for _, w := range list {
			switch w.Name {
			case "model.layers.1.self_attn.q_proj.weight", "model.embed_tokens.weight", "model.norm.weight":
			default:
				out = append(out, w)
			}
		}
		return out
	})
	refused(t, dir, `tensors: 2 missing: "model.embed_tokens.weight", "model.layers.1.self_attn.q_proj.weight"; 1 of another shape: "model.norm.weight" is [9], wants [8]; 2 not known: "model.layers.2.mlp.up_proj.weight", "mystery"`)

	dir = weights(t, "bert", func(list []*onnx.Tensor) []*onnx.Tensor {
		for i, w := range list {
			if w.Name == "embeddings.LayerNorm.weight" {
				list[i] = onnx.NewTensor(onnx.Int8, w.Dims...)
				list[i].Name = w.Name
			}
		}
		return list
	})
	refused(t, dir, "embeddings.LayerNorm.weight", "is int8, wants floating-point numbers")
}

// TestSpellings reads names that other versions wrote, and leaves out what is no part of the network.
func TestSpellings(t *testing.T) {
	dir := weights(t, "bert", func(list []*onnx.Tensor) []*onnx.Tensor {
		for _, w := range list {
			w.Name = "bert." + strings.NewReplacer("LayerNorm.weight", "LayerNorm.gamma", "LayerNorm.bias", "LayerNorm.beta").Replace(w.Name)
		}
		return append(list, named("bert.embeddings.position_ids", 1, 16), named("cls.seq_relationship.bias", 2))
	})
	s := open(t, dir)
	m, err := s.Model(s.Options)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Ignored) != 2 || m.Graph.Lookup("pooler_output") == nil {
		t.Errorf("left out: %v", s.Ignored)
	}
	g := golden(t, "bert")
	if d := far(t, run(t, session(t, m), feedsOf(m, g))["last_hidden_state"], g["last_hidden_state"], g["attention_mask"]); !(d < tolerance) {
		t.Errorf("differs by %g", d)
	}
}

// TestHostileGGUF: files that GGUF's reader takes, and that are no language model.
func TestHostileGGUF(t *testing.T) {
	whole := func(b *gguftest.Builder, key string, v uint32) { b.Text(key).U32(4).U32(v) }
	text := func(b *gguftest.Builder, key, v string) { b.Text(key).U32(8).Text(v) }
	for name, c := range map[string]struct {
		keys uint64
		fill func(b *gguftest.Builder)
		want []string
	}{
		"none":    {0, func(*gguftest.Builder) {}, []string{`general.architecture: "" is not known`}},
		"unknown": {1, func(b *gguftest.Builder) { text(b, "general.architecture", "mamba\x1b") }, []string{`"mamba\x1b" is not known: there are bert, gpt2, llama`}},
		"bare": {1, func(b *gguftest.Builder) { text(b, "general.architecture", "llama") },
			[]string{"llama.embedding_length: is missing", "llama.block_count: is missing", "llama.attention.layer_norm_rms_epsilon: is missing"}},
		"types": {3, func(b *gguftest.Builder) {
			text(b, "general.architecture", "gpt2")
			text(b, "gpt2.block_count", "2")
			whole(b, "gpt2.embedding_length", 8)
		}, []string{"gpt2.block_count: wants one whole number"}},
		"yarn": {3, func(b *gguftest.Builder) {
			text(b, "general.architecture", "llama")
			text(b, "llama.rope.scaling.type", "yarn")
			whole(b, "llama.expert_count", 8)
		}, []string{`llama.rope.scaling.type: is "yarn"`, "llama.expert_count: is 8"}},
	} {
		path := filepath.Join(t.TempDir(), "m.gguf")
		b := gguftest.Head(3, 0, c.keys)
		c.fill(b)
		put(t, filepath.Dir(path), "m.gguf", b.Bytes())
		_, err := OpenGGUF(path)
		var in *limits.InputError
		if !errors.As(err, &in) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, w := range c.want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%s: %q is not in: %v", name, w, err)
			}
		}
	}
	var header []byte
	for _, v := range []uint32{8, 6, 2, 2, 1, 5, 3} {
		header = binary.LittleEndian.AppendUint32(header, v)
	}
	dir := t.TempDir()
	put(t, dir, "x.bin", header)
	if _, err := OpenLlama2c(filepath.Join(dir, "x.bin")); err == nil {
		t.Error("a header alone")
	}
}

func FuzzConfig(f *testing.F) {
	list, err := filepath.Glob("testdata/*/config.json")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range list {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		o, err := parseJSON(data)
		if err != nil {
			return
		}
		if c, err := readConfig(o); err == nil {
			if err := c.Check(); err != nil {
				t.Fatal(err)
			}
		}
	})
}
