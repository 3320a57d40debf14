package bias_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"graft/training/metric/bias"
)

// TestAnswers keeps answers over a kill in the middle of a line, and forgets those of another model.
func TestAnswers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "answers.jsonl")
	open := func(model string, found int) *bias.Answers {
		t.Helper()
		a, err := bias.OpenAnswers(path, model)
		if err != nil {
			t.Fatal(err)
		}
		if a.Found() != found {
			t.Errorf("%d answers are found, want %d", a.Found(), found)
		}
		return a
	}
	q := func(v ...int64) bias.Question { return bias.QuestionOf("masked", v) }
	a := open("m", 0)
	if err := a.Keep([]bias.Question{q(1), q(2)}, [][]float64{{-0.1, 1.0 / 3}, {-7e-300}}); err != nil {
		t.Fatal(err)
	}
	a.Close()
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	begun := len(whole) - 40 // in the second answer
	for cut := begun; cut < len(whole); cut++ {
		if err := os.WriteFile(path, whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		open("m", 1).Close()
	}
	a = open("m", 1)
	if v, ok := a.Answer(q(1)); !ok || !slices.Equal(v, []float64{-0.1, 1.0 / 3}) {
		t.Errorf("%v, %v", v, ok)
	}
	if _, ok := a.Answer(q(2)); ok {
		t.Error("half a line is an answer")
	}
	if err := a.Keep([]bias.Question{q(2)}, [][]float64{{-7e-300}}); err != nil {
		t.Fatal(err)
	}
	a.Close()
	if again, _ := os.ReadFile(path); string(again) != string(whole) {
		t.Errorf("behind a torn line:\n%s\nwant\n%s", again, whole)
	}
	open("another", 0).Close()
	open("m", 0).Close()
	if bias.QuestionOf("a", []int64{1}, []int64{2}) == bias.QuestionOf("a", []int64{1, 2}) || q(1) == bias.QuestionOf("causal", []int64{1}) {
		t.Error("two questions have one name")
	}
	if _, err := bias.OpenAnswers(t.TempDir(), "m"); err == nil {
		t.Error("a folder is opened")
	}
}
