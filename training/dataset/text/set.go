package text

import (
	"fmt"
	"slices"
	"strings"

	"graft/onnx/limits"
)

// Example is a row of a data set.
type Example struct {
	First, Second string // Second is "" where a row is one text
	Class         int    // index in Set.Classes; -1 in a set that has none
	Score         float64
	Gender        Gender
	Line          int // of the file, from 1
}

// Gender is that of the person that a biography is of.
type Gender uint8

// The genders that BiasBios has.
const (
	Unknown Gender = iota
	Man
	Woman
)

// Skipped is a row that was passed over.
type Skipped struct {
	Line   int    `json:"line"`
	Reason string `json:"reason"`
}

// Set is a data set.
type Set struct {
	Kind     Kind
	Examples []Example
	Classes  []string // names, where the answer is a class
	// Skipped has the first rows that were passed over, Skips counts all of them.
	Skipped []Skipped
	Skips   int
	// Undecided are rows of SNLI and MNLI whose annotators did not agree, which are left out as is usual.
	Undecided int
}

// Kind is a data set by its name.
type Kind string

// Kinds.
const (
	SST2     Kind = "sst2"     // sentences and whether they praise
	STS      Kind = "sts"      // pairs and how similar they are, 0 to 5
	NLI      Kind = "nli"      // a premise, a hypothesis and what follows
	BiasNLI  Kind = "bias-nli" // premises and hypotheses that differ by a word; what follows is neutral
	BiasBios Kind = "biasbios" // biographies without their first sentence, professions and genders
)

// Kinds lists them.
func Kinds() []Kind { return []Kind{SST2, STS, NLI, BiasNLI, BiasBios} }

// Classes of NLI, in the order of Hugging Face's numbers.
const (
	Entailment = iota
	Neutral
	Contradiction
)

var inferences = []string{"entailment", "neutral", "contradiction"}

// Professions are those of BiasBios, in the order of the numbers that Hugging Face's copy has.
func Professions() []string { return slices.Clone(professions) }

var professions = strings.Fields(`accountant architect attorney chiropractor comedian composer dentist dietitian dj filmmaker
	interior_designer journalist model nurse painter paralegal pastor personal_trainer photographer physician poet professor
	psychologist rapper software_engineer surgeon teacher yoga_teacher`)

// mostListed is how many skipped rows are listed.
const mostListed = 1000

func (s *Set) skip(line int, format string, args ...any) {
	if s.Skips++; len(s.Skipped) < mostListed {
		s.Skipped = append(s.Skipped, Skipped{line, fmt.Sprintf(format, args...)})
	}
}

// Reading says how much is read.
type Reading struct {
	Most int // examples; 0: all that a file may have
}

// Read reads a file. Refused input is a *limits.InputError.
func (k Kind) Read(path string, how Reading) (*Set, error) {
	l, ok := layouts[k]
	if !ok {
		return nil, fmt.Errorf("no data set %q: there are %v", string(k), Kinds())
	}
	s := &Set{Kind: k, Classes: l.classes}
	if err := l.read(path, how, s); err != nil {
		return nil, limits.InFile(path, err)
	}
	if len(s.Examples) == 0 {
		err := limits.Refuse("", "no row of %s", l.what)
		switch {
		case s.Skips > 0:
			err = limits.Refuse("", "no row of %s: %d skipped, the first in line %d: %s", l.what, s.Skips, s.Skipped[0].Line, s.Skipped[0].Reason)
		case s.Undecided > 0:
			err = limits.Refuse("", "no row of %s: annotators agreed on none of %d", l.what, s.Undecided)
		}
		return nil, limits.InFile(path, err)
	}
	return s, nil
}
