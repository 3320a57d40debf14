package text

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"graft/onnx/limits"
)

// TestLayouts reads ten rows in each published layout.
func TestLayouts(t *testing.T) {
	counts := func(s *Set) (n []int) {
		n = make([]int, max(len(s.Classes), 1))
		for _, e := range s.Examples {
			n[max(e.Class, 0)]++
		}
		return n
	}
	for _, c := range []struct {
		file      string
		kind      Kind
		n         int
		undecided int
		check     func(s *Set) bool
	}{
		{"sst2.tsv", SST2, 10, 0, func(s *Set) bool {
			return s.Examples[0].First == "a warm and patient portrait of a town that rarely talks" && counts(s)[1] == 5 && s.Examples[0].Line == 2
		}},
		{"sst2_bare.tsv", SST2, 10, 0, func(s *Set) bool { return s.Examples[9].Class == 0 && s.Examples[9].Line == 10 }},
		{"sts-dev.csv", STS, 10, 0, func(s *Set) bool {
			e := s.Examples[7]
			return e.Score == 4.4 && e.Second == "The city is under rain." && e.Class == -1 && s.Examples[8].First == `He said "no" and left.`
		}},
		{"sts_glue.tsv", STS, 10, 0, func(s *Set) bool { return s.Examples[2].Score == 3 && s.Examples[2].First == "Two boys play chess." }},
		{"snli.jsonl", NLI, 9, 1, func(s *Set) bool { return counts(s)[Neutral] == 3 && s.Examples[1].Class == Contradiction }},
		{"mnli.jsonl", NLI, 9, 1, func(s *Set) bool { return s.Examples[0].Class == Entailment }},
		{"mnli_glue.tsv", NLI, 9, 1, func(s *Set) bool { return s.Examples[8].Second == "A girl is swimming." }},
		{"bias_nli.csv", BiasNLI, 10, 0, func(s *Set) bool {
			e := s.Examples[4]
			return e.First == "The driver owns a cabinet, and a coat." && e.Class == Neutral
		}},
		{"biasbios.jsonl", BiasBios, 10, 0, func(s *Set) bool {
			e := s.Examples[7]
			return s.Classes[e.Class] == "software_engineer" && e.Gender == Man && s.Examples[0].Gender == Woman
		}},
		{"biasbios.csv", BiasBios, 10, 0, func(s *Set) bool {
			e := s.Examples[7]
			return s.Classes[e.Class] == "software_engineer" && strings.Contains(s.Examples[0].First, "\nand has run") && e.Gender == Man
		}},
	} {
		s, err := c.kind.Read(filepath.Join("testdata", c.file), Reading{})
		if err != nil {
			t.Errorf("%s: %v", c.file, err)
			continue
		}
		if len(s.Examples) != c.n || s.Undecided != c.undecided || s.Skips != 0 || !c.check(s) {
			t.Errorf("%s: %d examples, %d undecided, skipped %v; %+v", c.file, len(s.Examples), s.Undecided, s.Skipped, s.Examples)
		}
	}
	// A part of a file, and SST-2 where it is at hand.
	s, err := SST2.Read("testdata/sst2.tsv", Reading{Most: 3})
	if err != nil || len(s.Examples) != 3 {
		t.Errorf("three rows: %v, %v", s, err)
	}
	real := "../../../../shared/data/text/sst2_train.tsv"
	if _, err := os.Stat(real); err != nil {
		t.Skip("no ../shared/data/text")
	}
	if s, err = SST2.Read(real, Reading{}); err != nil || len(s.Examples) != 6920 || s.Skips != 0 {
		t.Errorf("SST-2: %v", err)
	}
}

// TestMalformed has rows that are skipped, counted and listed.
func TestMalformed(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	long := strings.Repeat("x", maxLine+10)
	for _, c := range []struct {
		name    string
		kind    Kind
		text    string
		n       int
		skipped map[int]string // line and what the reason has
	}{
		{"a.tsv", SST2, "sentence\tlabel\nfine\t1\nbad\t2\nnot\xff\t1\n\t1\nlone\n" + long + "\t1\nz\x00z\t0\nfine too\t0", 2,
			map[int]string{3: `"2" is not 0 or 1`, 4: "UTF-8", 5: "empty", 6: "no field of label", 7: "longer than a megabyte", 8: "zero byte"}},
		{"b.csv", STS, "g\tf\ty\t1\t5.1\ta\tb\ng\tf\ty\t1\tNaN\ta\tb\ng\tf\ty\t1\t2\ta\n\ng\tf\ty\t1\t2.5\ta\tb\n", 1,
			map[int]string{1: "no score from 0 to 5", 2: "no score", 3: "no field of sentence2"}},
		{"c.jsonl", NLI, `{"sentence1":"a","sentence2":"b","gold_label":"neutral"}` + "\n[1]\n{\"sentence1\":{},\"sentence2\":\"b\",\"gold_label\":\"neutral\"}\n" +
			`{"sentence1":"a","gold_label":"neutral"}` + "\n" + `{"sentence1":"a","sentence2":"b","gold_label":"maybe"}` + "\n{\"premise\":\"a\",\"hypothesis\":\"b\",\"label\":2}\n" + `{"sentence1":null,"sentence2":"b","label":0}`, 2,
			map[int]string{2: "no object", 3: "neither text nor a number", 4: "has no sentence2 or hypothesis", 5: `"maybe" is not`, 7: "a text is empty"}},
		{"d.csv", BiasBios, "hard_text,profession,gender\n\"open,1,0\nHe paints.,painter,M\n\"two\nlines, and a \"\"word\"\"\",14.0,female\nShe sings.,singer,F\nThey act.,1,x\na\"b\"c,1,1\n", 2,
			map[int]string{2: "not closed", 6: `"singer" is not`, 7: `"x" is not`, 8: "wrong places"}},
	} {
		s, err := c.kind.Read(write(c.name, c.text), Reading{})
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if len(s.Examples) != c.n || s.Skips != len(c.skipped) || len(s.Skipped) != s.Skips {
			t.Errorf("%s: %d examples, skipped %v", c.name, len(s.Examples), s.Skipped)
		}
		for _, row := range s.Skipped {
			if want := c.skipped[row.Line]; want == "" || !strings.Contains(row.Reason, want) {
				t.Errorf("%s: line %d: %s, want %q", c.name, row.Line, row.Reason, want)
			}
		}
	}
	for name, c := range map[string]struct {
		kind       Kind
		text, want string
	}{
		"bios.pkl":     {BiasBios, "(lp0\n.", "JSON Lines"},
		"bios2":        {BiasBios, "\x80\x04\x95\x00", "is a pickle"},
		"bios.parquet": {BiasBios, "PAR1\x15\x04", "read_parquet"},
		"set.arrow":    {NLI, "ARROW1\x00\x00", "Arrow"},
		"set.gz":       {NLI, "\x1f\x8b\x08\x00", "unpack it first"},
		"wide.tsv":     {SST2, "\xff\xfes\x00", "UTF-16"},
		"empty.tsv":    {SST2, "", "no row of SST-2"},
		"latin.tsv":    {SST2, "caf\xe9\t1\n", "line 1: is not UTF-8"},
		"head.csv":     {NLI, "a,b,c\n1,2,3\n", `has the columns "a", "b", "c", wants sentence1 or premise`},
		"list.json":    {NLI, `[{"premise": "a"}]`, "jq"},
		"none.jsonl":   {NLI, `{"sentence1":"a","sentence2":"b","gold_label":"-"}`, "annotators agreed on none of 1"},
		"binary.csv":   {STS, "\x00\x01\x02", "wants sentence1"},
	} {
		_, err := c.kind.Read(write(name, c.text), Reading{})
		var in *limits.InputError
		if !errors.As(err, &in) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	if _, err := SST2.Read(dir, Reading{}); err == nil {
		t.Error("a folder")
	}
	if _, err := Kind("cola").Read("testdata/sst2.tsv", Reading{}); err == nil {
		t.Error("a data set that there is not")
	}
}

// FuzzRead holds that no file makes a reader panic or take rows that are no texts.
func FuzzRead(f *testing.F) {
	files, err := filepath.Glob("testdata/*.*")
	if err != nil {
		f.Fatal(err)
	}
	for i, path := range files {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(i), data)
	}
	f.Add(uint8(4), []byte("hard_text,profession,gender\n\"\"\"\n\",,\n"))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, kind uint8, data []byte) {
		path := filepath.Join(dir, "set"+[]string{".csv", ".tsv", ".jsonl"}[kind/8%3])
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		k := Kinds()[int(kind)%len(Kinds())]
		s, err := k.Read(path, Reading{})
		if err != nil {
			return
		}
		for _, e := range s.Examples {
			if blank(e.First) || k == STS && !(e.Score >= 0 && e.Score <= 5) || k != STS && (e.Class < 0 || e.Class >= len(s.Classes)) {
				t.Fatalf("%+v", e)
			}
		}
	})
}
