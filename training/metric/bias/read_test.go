package bias

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"graft/onnx/limits"
)

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

func wantSkips(t *testing.T, s Skips, want ...string) {
	t.Helper()
	if s.Count != len(want) || len(s.Rows) != len(want) {
		t.Fatalf("%d skipped, want %d: %v", s.Count, len(want), s.Rows)
	}
	for i, row := range s.Rows {
		if !strings.Contains(row.String(), want[i]) {
			t.Errorf("skipped row %d is %q, want %q in it", i, row, want[i])
		}
	}
}

func wantRefused(t *testing.T, err error, words ...string) {
	t.Helper()
	var refused *limits.InputError
	if !errors.As(err, &refused) {
		t.Fatalf("error is %v, want a refusal", err)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%v, want %q in it", err, w)
		}
	}
}

const goodExample = `{"type": "intrasentence", "bias_type": "race", "target": "X", "context": "X are BLANK", "stereotype": "a", "anti_stereotype": "b", "unrelated": "c"}`

// TestStereoSetLines skips lines that are no example, each with its number and reason.
func TestStereoSetLines(t *testing.T) {
	bad := []struct{ line, reason string }{
		{`{"type": "intrasentence", `, "no JSON object"},
		{`[1]`, "no JSON object"},
		{strings.Replace(goodExample, "intrasentence", "both", 1), `type is "both"`},
		{strings.Replace(goodExample, `"race"`, `"age"`, 1), `bias type is "age"`},
		{strings.Replace(goodExample, "BLANK", "nice", 1), "context has no BLANK"},
		{strings.Replace(goodExample, `"unrelated": "c"`, `"unrelated": "  "`, 1), "the unrelated candidate is empty"},
		{strings.Replace(goodExample, `"X are`, `"\u0000`, 1) + "x", "no JSON object"},
		{strings.Replace(goodExample, `"target": "X"`, `"target": 3`, 1), "field \"target\" is a JSON number"},
		{goodExample[:30] + "\xff\xfe", "not UTF-8"},
	}
	if set, err := ReadStereoSet(write(t, "s.jsonl", "{broken\n"+goodExample)); err != nil || len(set.Examples) != 1 || set.Skips.Count != 1 {
		t.Errorf("a malformed first line: %v, %v", set, err)
	}
	text, want := goodExample+"\n\n", []string{}
	for _, b := range bad {
		text += b.line + "\r\n"
		want = append(want, b.reason)
	}
	set, err := ReadStereoSet(write(t, "s.jsonl", "\ufeff"+text+goodExample))
	if err != nil {
		t.Fatal(err)
	}
	if len(set.Examples) != 2 || set.Examples[1].Line != 3+len(bad) {
		t.Errorf("%d examples: %+v", len(set.Examples), set.Examples)
	}
	wantSkips(t, set.Skips, want...)
	if set.Skips.Rows[0].Line != 3 {
		t.Errorf("first at line %d", set.Skips.Rows[0].Line)
	}
}

// TestStereoSetDocument skips examples of the published layout that lack something, and takes the word as published.
func TestStereoSetDocument(t *testing.T) {
	one := func(id, context string, sentences ...string) string {
		return `{"id":"` + id + `","target":"t","bias_type":"gender","context":"` + context + `","sentences":[` + strings.Join(sentences, ",") + `]}`
	}
	s := func(label, text string) string {
		return `{"id":"` + label + `","sentence":"` + text + `","gold_label":"` + label + `"}`
	}
	three := []string{s("unrelated", "He is a fox-like, man."), s("stereotype", "He is bad, man."), s("anti-stereotype", "He is 'good', man.")}
	doc := `{"version":"1","data":{"intrasentence":[` + strings.Join([]string{
		one("ok", "He is BLANK, man.", three[0], three[1], three[2]),
		one("two", "He is BLANK.", three[0], three[1]),
		one("twice", "He is BLANK.", three[0], three[0], three[1]),
		one("short", "Well and truly he is a BLANK", three...),
		`7`,
	}, ",") + `],"intersentence":[` + one("x", "c", s("unrelated", "a"), s("stereotype", "b"), s("related", "c")) + `]}}`
	set, err := ReadStereoSet(write(t, "dev.json", doc))
	if err != nil {
		t.Fatal(err)
	}
	if len(set.Examples) != 1 || set.Examples[0].Candidates != [3]Candidate{{"stereotype", "bad"}, {"anti-stereotype", "good"}, {"unrelated", "a"}} {
		t.Errorf("%+v", set.Examples)
	}
	wantSkips(t, set.Skips, "2 sentences", "there twice", "does not fit", "JSON number", `gold label "related"`)
	_, err = ReadStereoSet(write(t, "none.json", `{"data":{"intrasentence":[7]}}`))
	wantRefused(t, err, "no example of StereoSet: 1 skipped", "none.json")
	_, err = ReadStereoSet(write(t, "empty", ""))
	wantRefused(t, err, "empty")
	_, err = ReadStereoSet(write(t, "bin", "\x7fELF\x00\x00"))
	wantRefused(t, err, "neither StereoSet's document nor JSON lines")
	if _, err = ReadStereoSet(t.TempDir()); err == nil {
		t.Error("a folder is read")
	}
}

// TestPredictions skips rows without id or score, and lists ids that are there twice.
func TestPredictions(t *testing.T) {
	p, err := ReadPredictions(write(t, "p.json", `{"intrasentence":[{"id":"a","score":0.5},{"id":"a","score":0.25},{"score":1},{"id":"b"},{"id":"c","score":"1"},{"id":"d","score":null}],"intersentence":[{"id":"e","score":-3}],"more":[]}`))
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Scores) != 2 || p.Scores["a"] != 0.25 || p.Scores["e"] != -3 {
		t.Errorf("%v", p.Scores)
	}
	wantSkips(t, p.Skips, "there twice", "id is missing", "score is missing", "JSON string", "score is missing", `"more"`)
	for _, text := range []string{`{"intrasentence":[{"id":"a","score":NaN}]}`, `[]`, ``, `{"intrasentence":{}}`, `{"intrasentence":[]}`, `{"a":1}`} {
		_, err := ReadPredictions(write(t, "p.json", text))
		wantRefused(t, err, "p.json")
	}
}

// TestUnscored counts examples without scores, and scores the others.
func TestUnscored(t *testing.T) {
	set := &StereoSet{Path: "f", Examples: []StereoExample{
		{Target: "t", BiasType: "race", Candidates: [3]Candidate{{ID: "1"}, {ID: "2"}, {ID: "3"}}},
		{Target: "t", BiasType: "race", Candidates: [3]Candidate{{ID: "1"}, {ID: "2"}, {ID: "9"}}},
		{Target: "t", BiasType: "race", Line: 4},
	}}
	o := set.Score(map[string]float64{"1": 1, "2": 1, "3": 0, "": 5})
	wantSkips(t, o.Unscored, "sentence 9 has no score", "has no ids")
	r := o.Result(Resampling{Samples: 100})
	if r.N != 1 || r.Score != 0 || *r.LMS != 100 || *r.ICAT != 0 || r.Unscored != 2 {
		t.Errorf("a tie is %+v", r)
	}
}

// TestCrowsTable reads columns by name, and skips rows that are no pair.
func TestCrowsTable(t *testing.T) {
	set, err := ReadCrowsPairs(write(t, "c.csv", "bias_type,more,sent_less,sent_more,stereo_antistereo\n"+
		"age,x,\"old, he\",young,stereo\nage,x,a,b,antistereo\nage,x,a,b,both\nage,x,,b,stereo\nage,x\n,x,a,b,stereo\nage,x,a,b\"c,stereo\nrace,x,a,b,stereo\n"))
	if err != nil {
		t.Fatal(err)
	}
	if len(set.Pairs) != 3 || set.Pairs[0] != (CrowsPair{More: "young", Less: "old, he", BiasType: "age", Line: 2}) || !set.Pairs[1].Against || set.Pairs[2].BiasType != "race" {
		t.Errorf("%+v", set.Pairs)
	}
	wantSkips(t, set.Skips, `is "both"`, "a sentence is empty", "2 fields", "bias_type is empty", "column")
	_, err = ReadCrowsPairs(write(t, "c.csv", "a,sent_more\n1,2\n"))
	wantRefused(t, err, "sent_less, stereo_antistereo, bias_type")
	_, err = ReadCrowsPairs(write(t, "c.csv", ""))
	wantRefused(t, err, "c.csv")
}

// TestWinoBiasFiles pairs lines of both files at the pronoun.
func TestWinoBiasFiles(t *testing.T) {
	folder := t.TempDir()
	for name, text := range map[string]string{
		"pro_stereotyped_type1.txt.dev":  "1 [The nurse] left because [she] was late.\n2 [She] asked [the [tailor].\n3 one [bracket]\n\n5 [A] and [his] dog\n6 [A] saw [her] dog\n",
		"anti_stereotyped_type1.txt.dev": "1 [The nurse] left because [he] was late.\n2 [He] asked [the tailor].\n3 one [bracket]\n\n5 [A] and [his] dog\n7 [A] saw [his] dog\n8 [A] saw [his] dog\n",
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	set, err := ReadWinoBias(folder)
	if err != nil {
		t.Fatal(err)
	}
	want := []WinoPair{
		{Before: "The nurse left because ", After: " was late.", Pro: "she", Anti: "he", Category: "type1", Part: "dev", Line: 1},
		{After: " asked the tailor.", Pro: "She", Anti: "He", Category: "type1", Part: "dev", Line: 2},
		{Before: "A saw ", After: " dog", Pro: "her", Anti: "his", Category: "type1", Part: "dev", Line: 6},
	}
	if !slices.Equal(set.Pairs, want) {
		t.Errorf("%+v", set.Pairs)
	}
	wantSkips(t, set.Skips, "1 pairs of brackets", `"his" and "his"`, "the other file has no such line")
	_, err = ReadWinoBias(t.TempDir())
	wantRefused(t, err, "no pro_stereotyped_type1")
}

// TestAssociationFiles reads a folder of tests in the order of their numbers.
func TestAssociationFiles(t *testing.T) {
	folder := t.TempDir()
	good := `{"targ1":{"category":"X","examples":["a","a",""," b"]},"targ2":{"category":"Y","examples":["c"]},"attr1":{"category":"A","examples":["d"]},"attr2":{"category":"B","examples":["e"]}}`
	for name, text := range map[string]string{"weat10.jsonl": good, "weat2.jsonl": good, "sent-weat2b.jsonl": good, "bad.jsonl": "{", "none.jsonl": strings.Replace(good, `["c"]`, `[]`, 1), "other.txt": "x"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	set, err := ReadAssociationTests(folder)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, x := range set.Tests {
		names = append(names, x.Name)
	}
	if !slices.Equal(names, []string{"sent-weat2b", "weat2", "weat10"}) || !slices.Equal(set.Tests[1].X.Examples, []string{"a", " b"}) {
		t.Errorf("%v, %+v", names, set.Tests[1])
	}
	if set.Skips.Count != 2+4 { // two files, and the empty example of each of four
		t.Errorf("%v", set.Skips)
	}
	if !set.Tests[0].Sentences() || set.Tests[1].Sentences() {
		t.Error("tests of words and of sentences are taken for one another")
	}
	_, err = ReadAssociationTests(t.TempDir())
	wantRefused(t, err, "no test of SEAT or WEAT")
}

// TestOccupationLists reads words, and debiaswe's list without words that have a gender by definition.
func TestOccupationLists(t *testing.T) {
	of, skips, err := ReadOccupations(write(t, "o.json", `[["nurse", 0.0, -0.9], ["actress", -1.0, 0.0], "film_maker", ["x", 1], ["y", 0, 3], 5, ""]`))
	if err != nil || len(of) != 2 || of[0] != (Occupation{"nurse", -0.9}) || of[1].Name != "film maker" || !math.IsNaN(of[1].Stereotype) {
		t.Errorf("%v, %v", of, err)
	}
	wantSkips(t, skips, "neither a word", "is no [word", "neither a word", "empty")
	of, _, err = ReadOccupations(write(t, "o.txt", "nurse\n\npilot\n"))
	if err != nil || len(of) != 2 || of[1].Name != "pilot" {
		t.Errorf("%v, %v", of, err)
	}
	_, _, err = ReadOccupations(write(t, "o.txt", "\n"))
	wantRefused(t, err, "no occupation")
	if len(Occupations()) < 40 {
		t.Error("the list of occupations is short")
	}
}
