package dataset

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

func TestText(t *testing.T) {
	dir := t.TempDir()
	text := "A  good film\t1\nbad , bad film\t0\r\n\nA \"film\t1\n"
	for name, c := range map[string]struct {
		data   string
		config ReadConfig
		ids    string
		labels []int64
		words  []string // behind the first three
		known  []string
	}{
		"plain.tsv":  {text, ReadConfig{}, "[[2 3 8 5 0] [2 4 7 4 5] [2 3 6 0 0]]", []int64{1, 0, 1}, []string{"a", "bad", "film", "\"film", ",", "good"}, nil},
		"short.tsv":  {text, ReadConfig{Length: 2}, "[[2 3] [2 4] [2 3]]", []int64{1, 0, 1}, nil, nil},
		"header.tsv": {"sentence\tlabel\n" + text, ReadConfig{}, "", []int64{1, 0, 1}, nil, nil},
		"front.tsv":  {"label\tsentence\n1\tgood\n0\tbad\n", ReadConfig{}, "[[2 4] [2 3]]", []int64{1, 0}, []string{"bad", "good"}, nil},
		"asked.tsv":  {"x\tgood one\ny\tbad\n", ReadConfig{Label: "0"}, "[[2 4 5] [2 3 0]]", []int64{0, 1}, nil, []string{"x", "y"}},
		"few.tsv":    {text, ReadConfig{Words: 4}, "[[2 3 1 1 0] [2 1 1 1 1] [2 3 1 0 0]]", []int64{1, 0, 1}, []string{"a"}, nil},
		"known.tsv":  {text, ReadConfig{Vocabulary: []string{"film", "[UNK]", "good"}}, "[[1 2 0 0] [1 1 1 0] [1 1 0 0]]", []int64{1, 0, 1}, nil, nil},
	} {
		for _, data := range [][]byte{[]byte(c.data), zipped(t, []byte(c.data))} {
			got := table(t, put(t, dir, name, data), c.config)
			by := map[string]Column{}
			for _, column := range got.Columns {
				by[column.Name] = column
			}
			ids, mask, labels := all(t, by["input_ids"]), all(t, by["attention_mask"]), all(t, by["labels"])
			var rows [][]int64
			for i := range ids.Dims[0] {
				rows = append(rows, ids.Int64s()[i*ids.Dims[1]:(i+1)*ids.Dims[1]])
			}
			if c.ids != "" && fmt.Sprint(rows) != c.ids || !slices.Equal(labels.Int64s(), c.labels) || by["labels"].Kind != Answers {
				t.Errorf("%s: %v %v, want %s %v", name, rows, labels.Int64s(), c.ids, c.labels)
			}
			if c.words != nil && !slices.Equal(got.Vocabulary[3:], c.words) || !slices.Equal(got.Classes, c.known) {
				t.Errorf("%s: words %q, classes %v", name, got.Vocabulary, got.Classes)
			}
			if name == "front.tsv" && !slices.Equal(mask.Int64s(), []int64{1, 1, 1, 1}) {
				t.Errorf("mask %v", mask.Int64s())
			}
		}
	}
	numbers := table(t, put(t, dir, "numbers.tsv", []byte("a\tb\n1\tdog\n2\tcat\n")), ReadConfig{})
	if numbers.Columns[0].Name != "" || numbers.Vocabulary != nil {
		t.Error("a table of numbers is taken for a text")
	}
}

func TestHostileText(t *testing.T) {
	dir := t.TempDir()
	for text, words := range map[string][]string{
		"good film\t1\nbad\n":         {"line 2", "1 fields"},
		"good film\t1\nbad\t0\tx\n":   {"line 2", "3 fields"},
		"good film\t1\n\t0\n":         {"line 2", "no words"},
		"good film\t1\nbad\t\n":       {"line 2", "no class"},
		"good film\t1\n\xff\xfe\t0\n": {"x.tsv"},
		"sentence\tlabel\n":           {"holds no sentence"},
		"good film\t1\n" + strings.Repeat("a b\t1\n", 2000) + "\xff\t1\n": {"line 2002", "no UTF-8"},
		"good film\t1\n" + strings.Repeat("a ", 1<<20) + "\t1\n":          {"more than 1048576 bytes"},
	} {
		refuses(t, put(t, dir, "x.tsv", []byte(text)), ReadConfig{}, words...)
	}
	good := put(t, dir, "good.tsv", []byte("good film\t1\nbad\t0\n"))
	refuses(t, good, ReadConfig{Label: "score"}, `no column "score"`)
	refuses(t, good, ReadConfig{Vocabulary: []string{"good"}}, "lacks [UNK]")
	refuses(t, good, ReadConfig{Classes: []string{"0"}}, `"1"`, "not among")
	packed := zipped(t, []byte(strings.Repeat("good film\t1\n", 100)))
	refuses(t, put(t, dir, "cut.tsv.gz", packed[:len(packed)-9]), ReadConfig{}, "gzip", "cut short")
}

func TestReadVocabulary(t *testing.T) {
	dir := t.TempDir()
	got, err := ReadVocabulary(put(t, dir, "vocab.txt", []byte("[PAD]\r\n[UNK]\n##ing\n")))
	if err != nil || !slices.Equal(got, []string{"[PAD]", "[UNK]", "##ing"}) {
		t.Errorf("%q, %v", got, err)
	}
	for text, want := range map[string]string{"a\nb\na\n": `line 3: "a" is line 1 already`, "a\n\nb\n": "line 2: is no word", "\xff\n": "line 1: is no word", "": "holds no word",
		"a\n" + strings.Repeat("b", 1<<17): "line 2: is longer than a word"} {
		if _, err := ReadVocabulary(put(t, dir, "bad.txt", []byte(text))); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "bad.txt") {
			t.Errorf("%.10q: %v, want %q", text, err, want)
		}
	}
	if _, err := ReadVocabulary(dir + "/none.txt"); !os.IsNotExist(err) {
		t.Errorf("no file: %v", err)
	}
}
