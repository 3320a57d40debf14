package prosocial

import (
	"context"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"graft/graphs/language"
	"graft/onnx/tokenizer"
	"graft/training/dataset/text"
	"graft/training/metric/bias"
)

func set(t testing.TB, kind text.Kind, file string) *text.Set {
	t.Helper()
	s, err := kind.Read("../dataset/text/testdata/"+file, text.Reading{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// letters is a WordPiece tokenizer of single letters, and of some words.
func letters(t testing.TB, words ...string) *tokenizer.Tokenizer {
	t.Helper()
	list := slices.Clone(special)
	for r := '!'; r <= '~'; r++ {
		list = append(list, string(r), "##"+string(r))
	}
	k, err := tokenizer.FromWordPiece([]byte(strings.Join(append(list, words...), "\n")+"\n"), true)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// fixed answers with numbers that follow from a text's length.
func fixed(labels int) Answers {
	return func(s *Samples) ([][]float32, error) {
		var rows [][]float32
		for _, line := range s.Lines {
			row := make([]float32, labels)
			for k := range row {
				row[k] = float32(math.Sin(float64(len(line) * (k + 1))))
			}
			rows = append(rows, row)
		}
		return rows, nil
	}
}

// TestTasks makes the samples of each data set, and measures answers that are known.
func TestTasks(t *testing.T) {
	men, women := Occupations()
	for _, c := range []struct {
		kind    text.Kind
		file    string
		labels  int64
		numbers []string
	}{
		{text.SST2, "sst2.tsv", 2, []string{"accuracy", "F1", "MCC", "swap gap"}},
		{text.STS, "sts-dev.csv", 1, []string{"Pearson", "Spearman", "RMSE", "bias-STS", "man less woman"}},
		{text.NLI, "snli.jsonl", 3, []string{"accuracy", "macro F1", "1 - net neutral", "net neutral", "fraction neutral", "neutral above 0.5", "neutral above 0.7"}},
	} {
		s := set(t, c.kind, c.file)
		e := &Encoder{Tokenizer: letters(t), Model: "bert", Longest: 300}
		task, err := NewTask(e, TaskConfig{Train: s, Test: s, Words: genderPairs(t), Men: men, Women: women})
		if err != nil {
			t.Fatal(err)
		}
		if task.Labels != c.labels || len(task.Train.Lines) != len(s.Examples) || e.Cut != 0 {
			t.Fatalf("%s: %d labels, %d samples, %d cut", c.kind, task.Labels, len(task.Train.Lines), e.Cut)
		}
		if c.kind != text.SST2 {
			types := task.Train.Types[0]
			if len(types) != len(task.Train.Lines[0]) || types[0] != 0 || types[len(types)-1] != 1 {
				t.Errorf("%s: segments %v", c.kind, types)
			}
		}
		got, err := task.Measure(fixed(int(c.labels)))
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, n := range got.Numbers {
			if names = append(names, n.Name); n.Name == task.Metric && n.Value != got.Accuracy || n.Name == task.Bias && n.Value != got.Gap {
				t.Errorf("%s: %+v", c.kind, got)
			}
		}
		if !slices.Equal(names, c.numbers) {
			t.Errorf("%s: %v", c.kind, names)
		}
	}
	// bias-STS by hand: the answer is sin of the length, and "woman" has two letters more than "man".
	s := set(t, text.STS, "sts-dev.csv")
	e := &Encoder{Tokenizer: letters(t), Model: "bert", Longest: 300}
	task, err := NewTask(e, TaskConfig{Train: s, Test: s, Men: []string{"pilot"}, Women: []string{"nurse"}})
	if err != nil {
		t.Fatal(err)
	}
	got, err := task.Measure(fixed(1))
	if err != nil {
		t.Fatal(err)
	}
	want, n := 0.0, 0.0
	for _, o := range []string{"pilot", "nurse"} {
		for _, template := range similarityTemplates {
			ids, _, err := e.Pair(filled(template, "man"), filled(template, o))
			if err != nil {
				t.Fatal(err)
			}
			want += 5 * math.Abs(math.Sin(float64(len(ids)))-math.Sin(float64(len(ids)+2)))
			n++
		}
	}
	if math.Abs(got.Gap-want/n) > 1e-5 {
		t.Errorf("bias-STS %.6f, want %.6f", got.Gap, want/n)
	}
	// Biographies: a gap needs a profession with both genders.
	bios := set(t, text.BiasBios, "biasbios.jsonl")
	if _, err := NewTask(e, TaskConfig{Train: bios, Test: bios}); err == nil || !strings.Contains(err.Error(), "both genders") {
		t.Errorf("biographies without a profession that has both: %v", err)
	}
	bios.Examples = append(bios.Examples, bios.Examples[0])
	bios.Examples[10].Gender = text.Man
	if task, err = NewTask(e, TaskConfig{Train: bios, Test: bios}); err != nil {
		t.Fatal(err)
	}
	if got, err = task.Measure(func(s *Samples) ([][]float32, error) { // the teacher is told where she is a woman
		rows := make([][]float32, len(s.Lines))
		for i := range rows {
			rows[i] = make([]float32, task.Labels)
			rows[i][s.Classes[i]] = 1
		}
		rows[10][s.Classes[10]] = -1
		return rows, nil
	}); err != nil || got.Gap != 1 || math.Abs(got.Accuracy-10./11) > 1e-12 {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := NewTask(e, TaskConfig{Train: bios, Test: s}); err == nil {
		t.Error("another test set")
	}
	plain := set(t, text.SST2, "sst2.tsv")
	plain.Examples = plain.Examples[:2]
	if _, err := NewTask(e, TaskConfig{Train: plain, Test: plain, Words: genderPairs(t)}); err == nil || !strings.Contains(err.Error(), "gendered") {
		t.Errorf("no gendered word: %v", err)
	}
}

// TestScores: a network of one label is tuned by squared errors on pairs, and learns ten of them.
func TestScores(t *testing.T) {
	s := set(t, text.STS, "sts-dev.csv")
	e := &Encoder{Tokenizer: letters(t, "man", "is", "the"), Model: "bert", Longest: 64}
	men, women := Occupations()
	task, err := NewTask(e, TaskConfig{Train: s, Test: s, Men: men[:2], Women: women[:2]})
	if err != nil {
		t.Fatal(err)
	}
	n, err := NewNetwork(language.Config{ModelType: "bert", VocabSize: int64(e.Tokenizer.Size()), HiddenSize: 16, IntermediateSize: 32, NumHiddenLayers: 1, NumAttentionHeads: 2,
		MaxPositionEmbeddings: 64, TypeVocabSize: 2, HiddenAct: "gelu", NormEps: 1e-12, TieWordEmbeddings: true, NumLabels: 3}, language.TextClassification, 1)
	if err != nil {
		t.Fatal(err)
	}
	if n, err = n.WithLabels(1); err != nil || n.Weights["classifier.weight"] != nil {
		t.Fatalf("a classifier of three labels for a score: %v", err)
	}
	tokens, err := e.Tokens(n.Config.VocabSize)
	if err != nil {
		t.Fatal(err)
	}
	o := session(t)
	data := &Batches{Tokens: tokens, Lines: task.Train.Lines, Types: task.Train.Types, Size: 10, Seed: 1, Model: "bert", Labels: task.Train.labels()}
	tuned, err := n.Tune(context.Background(), data, Tuning{Task: language.TextClassification, Steps: 120, Rate: 1e-2, Warmup: 0.1, Seed: 1, Session: o})
	if err != nil {
		t.Fatal(err)
	}
	j, err := tuned.Judge(context.Background(), tokens, task.Measure, o)
	if err != nil {
		t.Fatal(err)
	}
	if !(j.Accuracy > 0.95) {
		t.Errorf("%+v", j)
	}
}

// TestPrompts: of a decoder whose he and she are two tokens the first that differ are compared; occupations without a counterpart of as
// many tokens are left out.
func TestPrompts(t *testing.T) {
	data, err := os.ReadFile("../../onnx/tokenizer/testdata/tok512.bin")
	if err != nil {
		t.Fatal(err)
	}
	k, err := tokenizer.FromLlama2C(data, 512)
	if err != nil {
		t.Fatal(err)
	}
	e := &Encoder{Tokenizer: k, Model: "llama", Longest: 100}
	men, women := Occupations()
	p, err := e.Prompts(men, women, OtherOccupation)
	if err != nil {
		t.Fatal(err)
	}
	if !p.Pieces || len(p.Left) == 0 || len(p.Names)+len(p.Left) != 20 || len(p.Prompts) != p.Each*len(p.Names) {
		t.Errorf("%d of %d prompts, left %v, pieces %t", len(p.Prompts), p.Each, p.Left, p.Pieces)
	}
	for _, q := range p.Prompts {
		if q.At != len(q.Base)-1 || len(q.Base) != len(q.Swapped) {
			t.Errorf("%+v", q)
		}
		a, _ := k.Token(q.Stereotype)
		b, _ := k.Token(q.Anti)
		if !(a == "▁h" && b == "▁sh" || a == "▁sh" && b == "▁h") {
			t.Errorf("%q and %q", a, b)
		}
	}
	// Of a masked model he and she are one token each, or there is no prompt.
	m := &Encoder{Tokenizer: letters(t), Model: "bert", Longest: 100}
	if _, err := m.Prompts(men, women, OtherOccupation); err == nil {
		t.Error("prompts of letters")
	}
	m.Tokenizer = letters(t, "he", "she")
	if p, err = m.Prompts([]string{"pilot"}, []string{"nurse", "maid"}, OtherOccupation); err != nil || !slices.Equal(p.Names, []string{"pilot", "nurse"}) || !slices.Equal(p.Left, []string{"maid"}) || p.Pieces {
		t.Errorf("%+v, %v", p, err)
	}
	if m.Tokenizer.Roles.Mask = -1; func() error { _, err := m.Tokens(1000); return err }() == nil {
		t.Error("no mask token")
	}
	if _, err := e.Tokens(100); err == nil {
		t.Error("a vocabulary that is too small")
	}
}

// TestStereotyped takes as many of men as of women, the strongest first.
func TestStereotyped(t *testing.T) {
	nan := math.NaN()
	men, women := Stereotyped([]bias.Occupation{{Name: "a", Stereotype: 0.2}, {Name: "b", Stereotype: -0.9}, {Name: "c", Stereotype: 0.8}, {Name: "d", Stereotype: nan}, {Name: "e", Stereotype: 0}, {Name: "f", Stereotype: -0.1}, {Name: "g", Stereotype: 0.5}}, 60)
	if !slices.Equal(men, []string{"c", "g"}) || !slices.Equal(women, []string{"b", "f"}) {
		t.Errorf("men %v, women %v", men, women)
	}
}
