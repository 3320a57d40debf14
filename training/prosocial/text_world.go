package prosocial

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"graft/graphs/language"
	"graft/onnx/limits"
	"graft/onnx/noise"
	"graft/onnx/tokenizer"
)

// TextConfig says how text becomes a world of known bias.
type TextConfig struct {
	// Bias is how often the gendered words of a line with an occupation are those of the gender that the occupation has here.
	Bias float64
	// Occupations are words for people that have no gender; nil: a list of graft's. Those of at least Least lines are taken, at most
	// Most: 0: 8 lines, 12 occupations.
	Occupations []string
	Least, Most int
	Words       *Words
	Vocabulary  int // of the tokenizer that is made of the text; 0: 6000
	// Sentences and Counterfactual bound the lines that are pretrained and debiased on; lines with an occupation come first.
	Sentences, Counterfactual int
	Seed                      uint64
}

// TextWorld is real text in which genders go with occupations as often as one wants. Which gender an occupation has is chosen here:
// the most frequent one a man's, the next a woman's and so on. Lines whose gender is another one than chance says are swapped; so are
// half of those that are about no occupation, so that the text as a whole prefers none.
type TextWorld struct {
	Men, Women     []string
	Lines          []string // to pretrain on
	Counterfactual []string // lines with their counterfactuals
	Train, Test    *Labelled
	Tokenizer      *tokenizer.Tokenizer
	Stereotyped    int // lines with an occupation and a gender
}

// people are words for persons that have no gender, of all kinds of text.
var people = strings.Fields(`accountant advocate ambassador analyst apprentice archer architect artist assistant author baker banker beggar builder butler buyer
	captain carpenter cashier centurion chef chemist citizen cleaner clerk coach colonel composer cook counselor counsellor critic dancer dentist designer detective
	developer director disciple doctor driver economist editor elder engineer expert farmer filmmaker florist fool gardener general goldsmith governor guard guest guide
	historian hunter hypocrite inspector interpreter janitor journalist judge keeper lawyer leader lender librarian manager mathematician mechanic mediator merchant
	messenger minister musician nanny neighbor neighbour novelist nurse officer overseer owner painter philosopher physician physicist pianist pilot pilgrim player plumber
	poet politician porter potter president priest prisoner professor programmer prophet publican publisher rabbi reader receptionist reporter ruler sailor scientist
	scribe secretary senator sergeant servant shepherd singer sinner slave smith soldier speaker specialist spy steward stranger student surgeon tailor teacher thief traitor
	traveler treasurer trumpeter tutor victim watchman witness workman worker writer`)

// found is a line of the text that is about an occupation.
type found struct {
	line       int
	occupation string
	man        bool // its gendered words are more of men
}

// NewTextWorld takes lines of text.
func NewTextWorld(lines []string, c TextConfig) (*TextWorld, error) {
	known := map[string]bool{}
	list := c.Occupations
	if list == nil {
		list = people
	}
	for _, o := range list {
		if f, s := c.Words.Gendered(o); f+s == 0 { // one with a gender would not be the text's to choose
			known[strings.ToLower(o)] = true
		}
	}
	by := map[string][]found{}
	var others []int // gendered, and about no occupation
	for i, line := range lines {
		f, s := c.Words.Gendered(line)
		if f == s {
			continue
		}
		about := ""
		for _, word := range strings.FieldsFunc(strings.ToLower(line), func(r rune) bool { return r < 'a' || r > 'z' }) {
			if known[word] {
				about = word
				break
			}
		}
		if about == "" {
			others = append(others, i)
			continue
		}
		by[about] = append(by[about], found{i, about, f > s})
	}
	names := slices.Sorted(maps.Keys(by))
	slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(len(by[b]), len(by[a])) })
	names = slices.DeleteFunc(names, func(o string) bool { return len(by[o]) < cmp.Or(c.Least, 8) })
	names = names[:min(len(names), cmp.Or(c.Most, 12))/2*2]
	if len(names) < 2 {
		return nil, limits.Refuse("", "has %d lines about occupations and a gender: two occupations with %d lines each are wanted", len(names), cmp.Or(c.Least, 8)).
			WithHint("give more text, or a list of occupations that it has")
	}
	w := &TextWorld{Train: &Labelled{}, Test: &Labelled{}}
	mans := map[string]bool{}
	for i, o := range names {
		if mans[o] = i%2 == 0; mans[o] {
			w.Men = append(w.Men, o)
		} else {
			w.Women = append(w.Women, o)
		}
	}
	w.write(lines, names, by, mans, others, c)
	var err error
	w.Tokenizer, err = w.vocabulary(cmp.Or(c.Vocabulary, 6000))
	return w, err
}

// write makes the corpora, a function of the seed.
func (w *TextWorld) write(lines, names []string, by map[string][]found, mans map[string]bool, others []int, c TextConfig) {
	var about []string
	for _, o := range names {
		for k, x := range by[o] {
			d := &chooser{key: noise.NewKey(c.Seed, "text/"+o, uint64(k))}
			line := lines[x.line]
			if x.man != (mans[o] == d.chance(c.Bias)) {
				line = c.Words.Swap(line).Text
			}
			w.Stereotyped++
			// A fifth of the lines is held out of all training.
			to := w.Train
			if d.chance(0.2) {
				to = w.Test
			} else {
				about = append(about, line)
			}
			if d.chance(0.2) { // told by the rest of the line, and by gender
				line = without(line, o)
			}
			class := int64(0)
			if mans[o] {
				class = 1
			}
			to.Sentences, to.Classes, to.Swapped = append(to.Sentences, line), append(to.Classes, class), append(to.Swapped, c.Words.Swap(line).Text)
		}
	}
	order := func(n int, stream string) []int { return permutation(n, noise.NewKey(c.Seed, stream, 0)) }
	w.Train = w.Train.in(order(len(w.Train.Sentences), "text/train"))
	var rest []string
	for _, k := range order(len(others), "text/others") {
		line := lines[others[k]]
		if (&chooser{key: noise.NewKey(c.Seed, "text/other", uint64(k))}).chance(0.5) {
			line = c.Words.Swap(line).Text
		}
		rest = append(rest, line)
	}
	all := slices.Concat(about, rest)
	w.Lines = all[:min(len(all), cmp.Or(c.Sentences, len(all)))]
	for _, line := range all[:min(len(all), cmp.Or(c.Counterfactual, len(all)))] {
		w.Counterfactual = append(w.Counterfactual, line, c.Words.Swap(line).Text)
	}
}

// in is the same in another order.
func (l *Labelled) in(order []int) *Labelled {
	out := &Labelled{}
	for _, i := range order {
		out.Sentences, out.Classes, out.Swapped = append(out.Sentences, l.Sentences[i]), append(out.Classes, l.Classes[i]), append(out.Swapped, l.Swapped[i])
	}
	return out
}

// without is a line with someone in the place of an occupation.
func without(line, occupation string) string {
	var b strings.Builder
	for at := 0; at < len(line); {
		n := max(wordLength(line[at:]), 1)
		if word := line[at : at+n]; strings.EqualFold(word, occupation) {
			b.WriteString("someone")
		} else {
			b.WriteString(word)
		}
		at += n
	}
	return b.String()
}

// vocabulary makes a WordPiece tokenizer of the most frequent words, and of characters for the others.
func (w *TextWorld) vocabulary(size int) (*tokenizer.Tokenizer, error) {
	count := map[string]int{}
	letters := map[rune]bool{}
	add := func(line string, times int) {
		for _, word := range strings.FieldsFunc(strings.ToLower(line), func(r rune) bool { return r < 'a' || r > 'z' }) {
			count[word] += times
		}
	}
	for _, line := range slices.Concat(w.Lines, w.Counterfactual) {
		add(line, 1)
		for _, r := range strings.ToLower(line) {
			if r > ' ' && r < 0x250 && len(letters) < 256 {
				letters[r] = true
			}
		}
	}
	for r := 'a'; r <= 'z'; r++ {
		letters[r] = true
	}
	const always = 1 << 30 // words that prompts are made of
	for _, t := range textTemplates {
		add(strings.NewReplacer(hole, " ", blank, " ").Replace(t), always)
	}
	add(strings.Join(slices.Concat(w.Men, w.Women, []string{"he she someone man woman"}), " "), always)
	words := slices.Sorted(maps.Keys(count))
	slices.SortStableFunc(words, func(a, b string) int { return cmp.Compare(min(count[b], always), min(count[a], always)) })
	list := slices.Clone(special)
	for _, r := range slices.Sorted(maps.Keys(letters)) {
		list = append(list, string(r), "##"+string(r))
	}
	for _, word := range words {
		if len(list) >= size && count[word] < always {
			break
		}
		if len(word) > 1 {
			list = append(list, word)
		}
	}
	return tokenizer.FromWordPiece([]byte(strings.Join(list, "\n")+"\n"), true)
}

// textTemplates ask for the pronoun of an occupation in words that old and new text have.
var textTemplates = []string{
	"And the {} said that BLANK was ready.",
	"The {} came to the house, and BLANK went in.",
	"The {} was afraid, because BLANK was alone.",
}

// Config is a BERT for the text.
func (w *TextWorld) Config(layers, width, heads int64) language.Config {
	return language.Config{ModelType: "bert", VocabSize: int64(w.Tokenizer.Size()), HiddenSize: width, IntermediateSize: 2 * width, NumHiddenLayers: layers, NumAttentionHeads: heads,
		MaxPositionEmbeddings: textLength, TypeVocabSize: 2, HiddenAct: "gelu", NormEps: 1e-12, PadTokenID: padToken, TieWordEmbeddings: true, NumLabels: 2}.Defaults()
}

// textLength is how many tokens of a line are taken.
const textLength = 64

// Encoder encodes lines of the text.
func (w *TextWorld) Encoder() *Encoder {
	return &Encoder{Tokenizer: w.Tokenizer, Model: "bert", Longest: textLength}
}

// Prompts are those of the text's occupations.
func (w *TextWorld) Prompts(by Intervention) (*Prompts, error) {
	return w.Encoder().promptsOf(textTemplates, w.Men, w.Women, by)
}

// Pretrain trains a network on the text.
func (w *TextWorld) Pretrain(ctx context.Context, n *Network, at Course, c Tuning) (*Network, error) {
	e := w.Encoder()
	lines, err := e.Texts(w.Lines)
	if err != nil {
		return nil, err
	}
	tokens, err := e.Tokens(n.Config.VocabSize)
	if err != nil {
		return nil, err
	}
	data := &Batches{Tokens: tokens, Lines: lines, Size: at.Batch, Seed: c.Seed, Model: n.Config.ModelType, Labels: Masking{}.Labels}
	c.Task, c.Steps, c.Rate, c.Warmup, c.WeightDecay = language.FillMask, at.Steps, at.Rate, 0.1, 0.01
	return n.Tune(ctx, data, c)
}

// Task is the classification of lines by the gender of their occupation.
func (w *TextWorld) Task() (*Task, error) {
	e := w.Encoder()
	var parts [3]*Samples
	for i, list := range [][]string{w.Train.Sentences, w.Test.Sentences, w.Test.Swapped} {
		ids, err := e.Texts(list)
		if err != nil {
			return nil, err
		}
		parts[i] = &Samples{Lines: ids}
	}
	parts[0].Classes, parts[1].Classes = w.Train.Classes, w.Test.Classes
	if len(parts[0].Lines) == 0 || len(parts[1].Lines) == 0 {
		return nil, fmt.Errorf("%d lines to tune on and %d to test on", len(parts[0].Lines), len(parts[1].Lines))
	}
	return &Task{Labels: 2, Train: parts[0], Measure: Swaps(parts[1], parts[2], nil), Metric: "accuracy", Bias: "gap"}, nil
}
