package text

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"graft/onnx/limits"
)

// column is one that a layout has, by the names that files give it.
type column struct{ names []string }

// layout is how a data set is written, and what its rows mean.
type layout struct {
	what    string
	classes []string
	columns []column
	// bare are the places of the columns in files without a header, by their number of fields; least is the smallest number that
	// will do, 0: a header is wanted.
	bare  []int
	least int
	exact bool // other numbers of fields will not do
	// add adds the row, whose values are in the order of columns, or says why it is none.
	add func(s *Set, e Example, values []string) (reason string)
}

// layouts are those of the kinds.
var layouts = map[Kind]*layout{
	// GLUE's train.tsv and dev.tsv have a header, the files of others have none.
	SST2: {what: "SST-2, a sentence and 0 or 1", classes: []string{"negative", "positive"},
		columns: []column{{[]string{"sentence", "text"}}, {[]string{"label"}}}, bare: []int{0, 1}, least: 2, exact: true,
		add: func(s *Set, e Example, v []string) string {
			e.First = v[0]
			if e.Class = classOf(v[1], s.Classes); e.Class < 0 {
				return notClass(v[1], "0 or 1")
			}
			return s.take(e)
		}},
	// The authors' sts-*.csv has tabs and no header: genre, file, year, number, score, and the two sentences, with licences behind
	// them in some rows. GLUE's has a header.
	STS: {what: "STS-B, two sentences and a score from 0 to 5",
		columns: []column{{[]string{"sentence1"}}, {[]string{"sentence2"}}, {[]string{"score", "similarity_score", "label"}}},
		bare:    []int{5, 6, 4}, least: 7,
		add: func(s *Set, e Example, v []string) string {
			score, err := strconv.ParseFloat(v[2], 64)
			if err != nil || !(score >= 0 && score <= 5) {
				return limits.Name(v[2]) + " is no score from 0 to 5"
			}
			e.First, e.Second, e.Class, e.Score = v[0], v[1], -1, score
			return s.take(e)
		}},
	// SNLI's and MNLI's JSON Lines, SNLI's text, GLUE's tables, and Hugging Face's numbers.
	NLI: {what: "SNLI or MNLI, two sentences and a label", classes: inferences,
		columns: []column{{[]string{"sentence1", "premise"}}, {[]string{"sentence2", "hypothesis"}}, {[]string{"gold_label", "label"}}},
		add: func(s *Set, e Example, v []string) string {
			if v[2] == "-" || v[2] == "-1" {
				s.Undecided++
				return ""
			}
			e.First, e.Second = v[0], v[1]
			if e.Class = classOf(v[2], s.Classes); e.Class < 0 {
				return notClass(v[2], "entailment, neutral or contradiction")
			}
			return s.take(e)
		}},
	// What the templates of Dev et al. 2020 make: nothing follows from one sentence for the other.
	BiasNLI: {what: "sentence pairs, premise and hypothesis", classes: inferences,
		columns: []column{{[]string{"premise", "sentence1"}}, {[]string{"hypothesis", "sentence2"}}},
		add: func(s *Set, e Example, v []string) string {
			e.First, e.Second, e.Class = v[0], v[1], Neutral
			return s.take(e)
		}},
	BiasBios: {what: "BiasBios, hard_text, profession and gender", classes: professions,
		columns: []column{{[]string{"hard_text"}}, {[]string{"profession", "title"}}, {[]string{"gender"}}},
		add: func(s *Set, e Example, v []string) string {
			e.First = v[0]
			if e.Class = classOf(strings.ReplaceAll(v[1], " ", "_"), s.Classes); e.Class < 0 {
				return notClass(v[1], "one of BiasBios's 28 professions or 0 to 27")
			}
			switch strings.ToLower(v[2]) {
			case "0", "m", "male":
				e.Gender = Man
			case "1", "f", "female":
				e.Gender = Woman
			default:
				return notClass(v[2], "0, M, male, 1, F or female")
			}
			return s.take(e)
		}},
}

// classOf is the class that a file names or numbers; -1 where it is none.
func classOf(s string, classes []string) int {
	if i := slices.Index(classes, strings.ToLower(s)); i >= 0 {
		return i
	}
	x, err := strconv.ParseFloat(s, 64) // as spreadsheets write it
	if err != nil || x != math.Trunc(x) || !(x >= 0 && x < float64(len(classes))) {
		return -1
	}
	return int(x)
}

func notClass(s, wanted string) string { return limits.Name(s) + " is not " + wanted }

// take adds an example whose texts are texts.
func (s *Set) take(e Example) string {
	if blank(e.First) || (s.Kind != SST2 && s.Kind != BiasBios) && blank(e.Second) {
		return "a text is empty"
	}
	s.Examples = append(s.Examples, e)
	return ""
}

func blank(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r > ' ' && r != 0x7f && r != 0xfeff }) < 0
}

// header gives the place of each column; nil where a column is missing.
func (l *layout) header(fields []string) []int {
	at := make([]int, len(l.columns))
	for i, c := range l.columns {
		at[i] = -1
		for _, name := range c.names {
			if at[i] < 0 {
				at[i] = slices.IndexFunc(fields, func(f string) bool { return strings.EqualFold(strings.TrimSpace(f), name) })
			}
		}
		if at[i] < 0 {
			return nil
		}
	}
	return at
}

// wanted names the columns.
func (l *layout) wanted() string {
	names := make([]string, len(l.columns))
	for i, c := range l.columns {
		names[i] = strings.Join(c.names, " or ")
	}
	return strings.Join(names, ", ")
}
