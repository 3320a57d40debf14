package bias

// Label is what a candidate of StereoSet stands for.
type Label int

// The candidates of an example.
const (
	Stereotype Label = iota
	AntiStereotype
	Unrelated
)

var labelNames = map[string]Label{"stereotype": Stereotype, "anti-stereotype": AntiStereotype, "unrelated": Unrelated}

// Candidate completes an example's context: a word of an intrasentence example, a sentence of an intersentence one.
type Candidate struct {
	ID   string // by which recorded scores name it; empty where the file has none
	Text string
}

// StereoExample is a context with a stereotypical, an anti-stereotypical and an unrelated completion.
type StereoExample struct {
	ID, Target, BiasType string
	Inter                bool
	// Context holds Blank once or more where the example is intrasentence; the candidates go there.
	Context    string
	Candidates [3]Candidate // by Label
	Line       int
}

// Blank marks the place of an intrasentence example's word.
const Blank = "BLANK"

// StereoSet is a set of examples (Nadeem, Bethke and Reddy 2021).
type StereoSet struct {
	Path     string
	Examples []StereoExample
	Skips    Skips
}

// StereoBiasTypes are the categories that StereoSet has.
var StereoBiasTypes = []string{"gender", "profession", "race", "religion"}
