package bias

import "context"

// Tokenizer turns text into tokens and back.
type Tokenizer interface {
	// Encode gives the tokens of a text; whole adds those that the model wants at the ends of a sequence. Special tokens that
	// are written out in the text are recognised.
	Encode(text string, whole bool) ([]int64, error)
	// EncodePair gives the tokens of two texts as one sequence, and for each the number of its text, 0 or 1.
	EncodePair(first, second string) (ids, types []int64, err error)
	// Decode gives the text of tokens.
	Decode(ids []int64) (string, error)
	// Mask is the token that stands for a hidden one, as text and number; ok is false where there is none.
	Mask() (text string, id int64, ok bool)
	// Start is the token that begins a text for a causal model; ok is false where there is none.
	Start() (id int64, ok bool)
}

// Hidden is a sequence with a token hidden, and what is asked of its place.
type Hidden struct {
	IDs   []int64 // with the mask in its place
	Types []int64 // segment of each token; nil: all 0
	At    int
	Want  []int64 // the tokens whose log-probabilities are wanted
}

// Masked is a masked language model. It may run questions in any order and together; told, which may be nil, is called with
// the number answered so far.
type Masked interface {
	// LogProbs gives the natural log-probability of each wanted token, for each question.
	LogProbs(ctx context.Context, questions []Hidden, told func(done int)) ([][]float64, error)
}

// Causal is a causal language model.
type Causal interface {
	// LogLikelihoods gives the natural log-probability of each token of each sequence from the second on, given those before.
	LogLikelihoods(ctx context.Context, sequences [][]int64, told func(done int)) ([][]float64, error)
}

// Pair is two texts as one sequence.
type Pair struct{ IDs, Types []int64 }

// NextSentence is a model that tells whether a text follows another.
type NextSentence interface {
	// Follows gives the probability that the second text follows the first, for each pair.
	Follows(ctx context.Context, pairs []Pair, told func(done int)) ([]float64, error)
}

// Encoder makes an embedding of a text.
type Encoder interface {
	// Embed gives an embedding of each sequence, all of the same length.
	Embed(ctx context.Context, sequences [][]int64, told func(done int)) ([][]float64, error)
}

// Model is what is measured. Masked or Causal is there for all but SEAT and WEAT, which want Encoder.
type Model struct {
	Tokenizer Tokenizer
	Masked    Masked
	Causal    Causal
	Next      NextSentence
	Encoder   Encoder
	Limit     int // the longest sequence in tokens; 0: none
}

// Progress is told of questions that have been answered; Stage begins a list of them.
type Progress interface {
	Stage(name string, total int)
	Step(done int, postfix string)
}

type silent struct{}

func (silent) Stage(string, int) {}
func (silent) Step(int, string)  {}

// Measuring says how a benchmark is run.
type Measuring struct {
	Resampling
	// Average is how the probabilities of a word of several tokens become one score in StereoSet.
	Average Average
	// PerToken has a causal model's likelihood of a sentence divided by its number of tokens in CrowS-Pairs and WinoBias.
	PerToken bool
	Progress Progress
}

func (m *Measuring) stage(name string, total int) func(int) {
	p := m.Progress
	if p == nil {
		p = silent{}
	}
	p.Stage(name, total)
	return func(done int) { p.Step(done, "") }
}

// Average says how the tokens of a word count.
type Average int

const (
	// OfProbabilities is the mean of the tokens' probabilities, which the published evaluation of StereoSet takes.
	OfProbabilities Average = iota
	// OfLogProbabilities is the mean of their logarithms, which its paper describes.
	OfLogProbabilities
)
