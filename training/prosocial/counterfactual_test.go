package prosocial

import (
	"bytes"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"graft/onnx/limits"
)

func gender(t testing.TB) *Words {
	t.Helper()
	w, err := Gender()
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// TestSwap swaps case, punctuation, inflections and pronouns as an English reader would.
func TestSwap(t *testing.T) {
	w := gender(t)
	for _, c := range []struct{ text, want string }{
		{"He is a king.", "She is a queen."},
		{"THE KINGS AND queens (the king's men)", "THE QUEENS AND kings (the queen's women)"},
		{"She lost her keys; I helped her.", "He lost his keys; I helped him."},
		{"I gave it to her in town, and her brothers' car to him.", "I gave it to him in town, and his sisters' car to her."},
		{"The book is his. His is red, and hers blue.", "The book is hers. Hers is red, and his blue."},
		{"his own wife, her 3 sons, her “friend”, her (she said)", "her own husband, his 3 daughters, his “friend”, him (he said)"},
		{"he's, she'll, He’d", "she's, he'll, She’d"},
		{"ex-wife; policeman-turned-waiter; mother-in-law", "ex-husband; policewoman-turned-waitress; father-in-law"},
		{"Mr. and Mrs. Smith", "Mrs. and Mr. Smith"},
		{"hE mANLY kingdom shepherd Hermit heroines", "hE mANLY kingdom shepherd Hermit heroes"},
		{"I told her", "I told him"},
		{"I told her\nmother", "I told his\nfather"},
		{"her very first", "his very first"},
		{"her, and his!", "him, and hers!"},
		{"", ""},
		{"日本の王 👩‍🔬 fiancée naïve", "日本の王 👩‍🔬 fiancé naïve"},
		{"James is Mary's son", "James is Mary's daughter"},
	} {
		got := w.Swap(c.text)
		if got.Text != c.want {
			t.Errorf("%q became %q, want %q", c.text, got.Text, c.want)
		}
		if got.Ambiguous == 0 && w.Swap(got.Text).Text != c.text {
			t.Errorf("%q twice is %q", c.text, w.Swap(got.Text).Text)
		}
	}
	if s := w.Swap("They gave him books and saw him there."); s.Words != 2 || s.Ambiguous != 1 {
		t.Errorf("%+v", s)
	}
	if err := w.AddNames(nil); err != nil {
		t.Fatal(err)
	}
	if s := w.Swap("James's mark on MARY, james"); s.Text != "Mary's mark on JAMES, james" {
		t.Errorf("%q", s.Text)
	}
}

// TestSwapTwice: a swap undoes itself, except where it says that it is ambiguous, and leaves everything else as it is.
func TestSwapTwice(t *testing.T) {
	w := gender(t)
	if err := w.AddNames(nil); err != nil {
		t.Fatal(err)
	}
	known := slices.Sorted(maps.Keys(w.pairs))
	known = append(known, slices.Sorted(maps.Keys(w.names))...)
	known = append(known, "her", "his", "him", "hers", "her", "his", "him", "hers", "in", "the", "book", "3", "and", "is", "own", "doctor")
	rapid.Check(t, func(t *rapid.T) {
		var b strings.Builder
		for range rapid.IntRange(0, 12).Draw(t, "words") {
			word := rapid.SampledFrom(known).Draw(t, "word")
			switch rapid.IntRange(0, 5).Draw(t, "case") {
			case 0:
				word = strings.ToUpper(word)
			case 1:
				word = titleCase.apply(word)
			case 2:
				word = rapid.StringN(0, 4, 12).Draw(t, "any")
			}
			b.WriteString(word)
			b.WriteString(rapid.SampledFrom([]string{" ", " ", " ", " ", ", ", "'s ", "’s ", "-", "\n", ". ", " “", "", "'", "\u0301 "}).Draw(t, "between"))
		}
		text := b.String()
		once := w.Swap(text)
		twice := w.Swap(once.Text)
		if once.Ambiguous == 0 && twice.Text != text {
			t.Fatalf("%q, %q, %q", text, once.Text, twice.Text)
		}
		if once.Words != twice.Words {
			t.Fatalf("%d words, then %d: %q, %q", once.Words, twice.Words, text, once.Text)
		}
	})
}

// TestWordLists refuses lists by which a swap would not undo itself, and empty ones.
func TestWordLists(t *testing.T) {
	for text, want := range map[string]string{
		"":                  "no pair of words",
		"# nothing\n\n":     "no pair of words",
		"a b c":             "line 1: 3 words",
		"he she\nhe2 foo":   "no word of two letters",
		"he she\n\nhe they": `line 3: "he" is in two pairs`,
		"same Same":         "pair of itself",
		"his hers":          "needs its next word",
		"king's queen":      "",
		"stra\u00dfe weg":   "",
		"\xff\xfe ab":       "is not UTF-8",
		"x yy":              "no word of two letters",
		"\u017fun moon":     "changes when it is written in capitals",
	} {
		_, err := ReadWords(strings.NewReader(text))
		var refused *limits.InputError
		if want == "" && err != nil || want != "" && (!errors.As(err, &refused) || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	w, err := ReadWords(strings.NewReader("red blue # colours\nBig small"))
	if err != nil || w.Len() != 2 {
		t.Fatalf("%v, %v", w, err)
	}
	if s := w.Swap("A Big red car of her"); s.Text != "A Small blue car of her" {
		t.Errorf("%q", s.Text)
	}
	if n := gender(t).Len(); n < 150 {
		t.Errorf("%d pairs", n)
	}
}

// TestCorpus writes lines with their counterfactuals, and counts what it leaves out.
func TestCorpus(t *testing.T) {
	w := gender(t)
	in := "He is here.\nNothing here.\n\n\xff\xfe he\nShe\tgave him books.\r\n" + strings.Repeat("he ", 1<<19) + "\nlast she"
	for _, c := range []struct {
		how  Augment
		want string
	}{
		{Augment{}, "He is here.\nShe is here.\nShe\tgave him books.\nHe\tgave her books.\nlast she\nlast he\n"},
		{Augment{Keep: true}, "He is here.\nShe is here.\nNothing here.\nShe\tgave him books.\nHe\tgave her books.\nlast she\nlast he\n"},
		{Augment{Form: Tabs}, "He is here.\tShe is here.\nShe gave him books.\tHe gave her books.\nlast she\tlast he\n"},
		{Augment{Form: JSONLines, Keep: true}, `{"text":"He is here.","counterfactual":"She is here."}` + "\n" + `{"text":"Nothing here."}` + "\n" + `{"text":"She\tgave him books.","counterfactual":"He\tgave her books."}` + "\n" + `{"text":"last she","counterfactual":"last he"}` + "\n"},
	} {
		var out bytes.Buffer
		done, err := w.Corpus(strings.NewReader(in), &out, c.how)
		if err != nil {
			t.Fatal(err)
		}
		if out.String() != c.want {
			t.Errorf("%+v: %q, want %q", c.how, out.String(), c.want)
		}
		if done.Lines != 4 || done.Swapped != 3 || done.Words != 4 || done.Ambiguous != 1 || done.Skipped != 2 || done.First != 4 || done.Written != int64(strings.Count(c.want, "\n")) {
			t.Errorf("%+v", done)
		}
	}
	for _, text := range []string{"", "\n\n", "nothing\n", "\xff\n"} {
		var refused *limits.InputError
		if _, err := w.Corpus(strings.NewReader(text), &bytes.Buffer{}, Augment{}); !errors.As(err, &refused) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
