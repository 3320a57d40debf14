package bias

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"graft/onnx/limits"
)

// WordSet is a category with its words or sentences.
type WordSet struct {
	Category string
	Examples []string // each once
}

// AssociationTest asks whether two sets of targets differ in how near they are to two sets of attributes.
type AssociationTest struct {
	Name string  // "sent-weat6"
	X, Y WordSet // targets
	A, B WordSet // attributes
}

// Sentences reports whether the test is of SEAT: of whole sentences, and not of WEAT's words.
func (t *AssociationTest) Sentences() bool {
	return strings.HasPrefix(t.Name, "sent-") || strings.Contains(t.Name, "_sentence") || strings.Contains(t.Name, "_1")
}

// AssociationTests are tests of a folder.
type AssociationTests struct {
	Tests []AssociationTest
	Skips Skips
}

// ReadAssociationTests reads every .jsonl of a folder: a JSON object, over any number of lines, of targ1, targ2, attr1 and
// attr2, each with category and examples. A file that is none is skipped, and so are empty examples and those that are in
// their set before: the published evaluation keeps examples by their text.
func ReadAssociationTests(folder string) (*AssociationTests, error) {
	found, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	set := &AssociationTests{}
	for _, f := range found {
		name, ok := strings.CutSuffix(f.Name(), ".jsonl")
		if !ok || f.IsDir() {
			continue
		}
		if len(set.Tests) >= 10_000 {
			return nil, limits.InFile(folder, limits.Refuse("", "more than 10000 tests"))
		}
		path := filepath.Join(folder, f.Name())
		t, err := set.read(path)
		if err != nil {
			set.Skips.add(Skipped{File: path, Reason: err.Error()})
			continue
		}
		t.Name = name
		set.Tests = append(set.Tests, *t)
	}
	slices.SortFunc(set.Tests, func(a, b AssociationTest) int { return natural(a.Name, b.Name) })
	if len(set.Tests) == 0 {
		return nil, set.Skips.nothing(folder, "test of SEAT or WEAT (.jsonl)")
	}
	return set, nil
}

func (set *AssociationTests) read(path string) (*AssociationTest, error) {
	data, err := readFile(path)
	if err != nil {
		return nil, err
	}
	if len(data) > maxLine {
		return nil, fmt.Errorf("%d bytes, at most %d are read", len(data), maxLine)
	}
	type list struct {
		Category string   `json:"category"`
		Examples []string `json:"examples"`
	}
	var doc struct {
		Targ1 list `json:"targ1"`
		Targ2 list `json:"targ2"`
		Attr1 list `json:"attr1"`
		Attr2 list `json:"attr2"`
	}
	if err := json.Unmarshal(data, &doc); err != nil {
		return nil, fmt.Errorf("no JSON object of a test: %s", plainJSON(err))
	}
	t := &AssociationTest{}
	for _, part := range []struct {
		name string
		from *list
		to   *WordSet
	}{{"targ1", &doc.Targ1, &t.X}, {"targ2", &doc.Targ2, &t.Y}, {"attr1", &doc.Attr1, &t.A}, {"attr2", &doc.Attr2, &t.B}} {
		part.to.Category = part.from.Category
		seen := map[string]bool{}
		for i, e := range part.from.Examples {
			if !sentence(e) {
				set.Skips.add(Skipped{File: path, Row: fmt.Sprintf("%s %d", part.name, i+1), Reason: "the example is empty"})
				continue
			}
			if !seen[e] {
				seen[e] = true
				part.to.Examples = append(part.to.Examples, e)
			}
		}
		if len(part.to.Examples) == 0 {
			return nil, fmt.Errorf("%s has no examples", part.name)
		}
	}
	return t, nil
}

// natural compares names with the numbers in them as numbers.
func natural(a, b string) int {
	for a != "" && b != "" {
		x, y := leading(a), leading(b)
		if digit(x[0]) && digit(y[0]) {
			p, q := strings.TrimLeft(x, "0"), strings.TrimLeft(y, "0")
			if len(p) != len(q) {
				return len(p) - len(q)
			}
			if c := strings.Compare(p, q); c != 0 {
				return c
			}
		} else if c := strings.Compare(x, y); c != 0 {
			return c
		}
		a, b = a[len(x):], b[len(y):]
	}
	return len(a) - len(b)
}

// leading is the digits, or the rest up to a digit, that s begins with.
func leading(s string) string {
	n := 1
	for n < len(s) && digit(s[n]) == digit(s[0]) {
		n++
	}
	return s[:n]
}

func digit(c byte) bool { return '0' <= c && c <= '9' }
