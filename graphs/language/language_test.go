package language

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"graft/onnx"
	"graft/onnx/op"
)

// small is a model of a type with numbers that differ from each other.
func small(modelType string) Config {
	c := Config{ModelType: modelType, VocabSize: 31, HiddenSize: 12, IntermediateSize: 20, NumHiddenLayers: 2, NumAttentionHeads: 3, MaxPositionEmbeddings: 17,
		TypeVocabSize: 2, HiddenAct: "gelu", NormEps: 1e-5, PadTokenID: 1, TieWordEmbeddings: true, NumLabels: 5}
	if modelType == "llama" {
		c.NumAttentionHeads, c.NumKeyValueHeads, c.HiddenAct = 6, 3, "silu"
	}
	return c
}

// TestForms builds every form and holds it to the rules of ONNX; batch and sequence stay symbols, and nothing is left unknown.
func TestForms(t *testing.T) {
	for _, modelType := range ModelTypes() {
		for _, task := range Tasks(modelType) {
			list := []Options{{Task: task}, {Task: task, Gates: GatesSample, Patches: true, HeadOutputs: true, HiddenDropout: 0.1, AttentionDropout: 0.2},
				{Task: task, Gates: GatesFixed}}
			if task == FeatureExtraction && HasPooler(modelType) {
				list = append(list, Options{Task: task, Pooler: true})
			}
			if Decoder(modelType) && task != TextClassification {
				list = append(list, Options{Task: task, Cache: true}, Options{Task: task, Cache: true, OwnPositions: true, Gates: GatesInputs})
			}
			for _, o := range list {
				for _, tied := range []bool{true, false} {
					c := small(modelType)
					if c.TieWordEmbeddings = tied; tied {
						c.PrunedHeads = map[int64][]int64{0: {1}, 1: {0, 1, 2}}
					}
					t.Run(fmt.Sprintf("%s %+v %v", modelType, o, tied), func(t *testing.T) { checkForm(t, c, o) })
				}
			}
		}
	}
}

func checkForm(t *testing.T, c Config, o Options) {
	t.Helper()
	m, err := c.Build(o, Fresh(1, Deviation))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range append(onnx.Check(m), op.Check(m)...) {
		t.Errorf("%v", f)
	}
	params, err := c.Parameters(o)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range params {
		v := m.Graph.Lookup(p.Name)
		if v == nil || v.Const == nil || len(v.Uses()) == 0 {
			t.Errorf("%s is not read", p.Name)
		}
	}
	for _, v := range m.Graph.Outputs() {
		for i, d := range v.Type.Shape {
			if d.Symbol == "" && d.Size < 1 || i == 0 && d.Symbol != "batch_size" || strings.HasPrefix(d.Symbol, "unk") {
				t.Errorf("%s is %v", v.Name, v.Type)
			}
		}
	}
}

// TestRefused: all that is wrong with a configuration is in one line.
func TestRefused(t *testing.T) {
	c := small("llama")
	c.NumHiddenLayers, c.HiddenSize, c.NumKeyValueHeads, c.HeadDim, c.HiddenAct = 1e9, 0, 4, 3, "mish"
	_, err := c.Build(Options{}, Fresh(1, Deviation))
	if err == nil {
		t.Fatal("built")
	}
	for _, want := range []string{"num_hidden_layers is 1000000000", "hidden_size is 0", "6 heads for 4 key-value heads", "head_dim is 3", `unknown hidden_act "mish"`} {
		if !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q is not in one line with: %v", want, err)
		}
	}
	c = small("bert")
	c.PrunedHeads = map[int64][]int64{-1: {0}, 0: {1, 1}, 1: {3}, 2: {0}}
	if _, err := c.Build(Options{}, Fresh(1, Deviation)); err == nil || strings.Count(err.Error(), "pruned_heads of layer") != 4 {
		t.Errorf("pruned heads: %v", err)
	}
	for want, o := range map[string]Options{
		"llama has no task \"fill-mask\"": {Task: FillMask}, "has no pooler": {Pooler: true}, "no cache": {Task: TextClassification, Cache: true},
		"unknown gates": {Gates: "x"}, "patches go by gates": {Patches: true}, "closed by gates": {Closed: map[int64][]int64{0: {1}}}, "dropout 1": {HiddenDropout: 1}, "dropout NaN": {AttentionDropout: math.NaN()},
	} {
		if _, err := small("llama").Build(o, Fresh(1, Deviation)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", want, err)
		}
	}
	if _, err := small("mamba").Build(Options{}, Fresh(1, Deviation)); err == nil || !strings.Contains(err.Error(), "there are bert, distilbert, gpt2, llama, roberta") {
		t.Error(err)
	}
	_, err = small("bert").Build(Options{}, func(p Parameter) (*onnx.Tensor, error) { return onnx.NewTensor(onnx.Float, 1), nil })
	if err == nil || !strings.Contains(err.Error(), "word_embeddings.weight is float [1], wants float [31 12]") {
		t.Error(err)
	}
}

// TestFresh: the same seed gives the same weights, norms begin as ones and biases as zeros.
func TestFresh(t *testing.T) {
	params, err := small("gpt2").Parameters(Options{Task: TextGeneration})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range params {
		a, _ := Fresh(3, Deviation)(p)
		b, _ := Fresh(3, Deviation)(p)
		other, _ := Fresh(4, Deviation)(p)
		first := a.Float32s()[0]
		switch {
		case string(a.Data) != string(b.Data), (string(a.Data) == string(other.Data)) == (p.Fill == Normal):
			t.Errorf("%s does not go by the seed", p.Name)
		case p.Fill == Zeros && first != 0, p.Fill == Ones && first != 1, strings.HasSuffix(p.Name, ".bias") != (p.Fill == Zeros):
			t.Errorf("%s begins with %g", p.Name, first)
		}
	}
}
