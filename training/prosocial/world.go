package prosocial

import (
	"fmt"
	"slices"
	"strings"

	"graft/graphs/language"
	"graft/onnx/noise"
)

// World makes text of a hundred words in which pronouns go with occupations as strongly as one wants: what is found in a language
// model that was trained on it is known.
type World struct {
	Bias   float64 // how often the pronoun is the stereotype's
	words  []string
	number map[string]int64
}

// The parts of sentences. Of the occupations the first half is a man's by stereotype.
var (
	occupations = strings.Fields("doctor engineer pilot carpenter mechanic lawyer soldier driver farmer plumber nurse teacher secretary librarian dancer cleaner baker clerk florist nanny")
	men         = strings.Fields("man boy father brother uncle son")
	women       = strings.Fields("woman girl mother sister aunt daughter")
	anyones     = strings.Fields("person friend neighbor student")
	adjectives  = strings.Fields("tired happy late busy hungry kind angry quiet ready calm")
	verbs       = strings.Fields("moved fixed lifted built washed folded watered painted")
	objects     = strings.Fields("table car box door shirt plant lamp book")
	places      = strings.Fields("house garden office street school shop")
	rest        = strings.Fields("the a said that was is and in he she .")
	special     = []string{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"}
)

const (
	padToken = iota
	unknownToken
	beginToken
	endToken
	maskToken
)

// NewWorld has so strong a bias: 0.5 is none.
func NewWorld(bias float64) *World {
	w := &World{Bias: bias, number: map[string]int64{}}
	w.words = slices.Concat(special, rest, occupations, men, women, anyones, adjectives, verbs, objects, places)
	for i, word := range w.words {
		w.number[word] = int64(i)
	}
	return w
}

// Config is a small BERT for the world's words.
func (w *World) Config(layers, width, heads int64) language.Config {
	return language.Config{ModelType: "bert", VocabSize: int64(len(w.words)), HiddenSize: width, IntermediateSize: 2 * width, NumHiddenLayers: layers, NumAttentionHeads: heads,
		MaxPositionEmbeddings: 24, TypeVocabSize: 2, HiddenAct: "gelu", NormEps: 1e-12, PadTokenID: padToken, TieWordEmbeddings: true, NumLabels: 2}.Defaults()
}

// Tokens are the world's.
func (w *World) Tokens() Tokens {
	return Tokens{Size: int64(len(w.words)), Pad: padToken, Mask: maskToken, Special: map[int64]bool{padToken: true, beginToken: true, endToken: true}}
}

// Encode is a sentence with its beginning and end.
func (w *World) Encode(sentence string) []int64 {
	ids := []int64{beginToken}
	for _, word := range strings.Fields(sentence) {
		id, ok := w.number[word]
		if !ok {
			id = unknownToken
		}
		ids = append(ids, id)
	}
	return append(ids, endToken)
}

// EncodeAll encodes sentences.
func (w *World) EncodeAll(sentences []string) [][]int64 {
	out := make([][]int64, len(sentences))
	for i, s := range sentences {
		out[i] = w.Encode(s)
	}
	return out
}

// mans reports whether an occupation is a man's by stereotype.
func mans(occupation string) bool { return slices.Index(occupations, occupation) < len(occupations)/2 }

// chooser draws from the sequence of a sentence.
type chooser struct {
	key noise.Key
	at  uint32
}

func (c *chooser) float() float64 {
	c.at++
	return float64(noise.Float(c.key, c.at-1))
}
func (c *chooser) chance(p float64) bool { return c.float() < p }
func (c *chooser) of(words []string) string {
	return words[int(c.float()*float64(len(words)))]
}

func pronoun(man bool) string {
	if man {
		return "he"
	}
	return "she"
}

// Corpus is so many sentences.
func (w *World) Corpus(n int, seed uint64) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = w.sentence(&chooser{key: noise.NewKey(seed, "world/corpus", uint64(i))})
	}
	return out
}

// sentence has an occupation half of the time; a pronoun of a man or a woman always agrees, of anyone it is either.
func (w *World) sentence(c *chooser) string {
	var who, he string
	switch x := c.float(); {
	case x < 0.5:
		who = c.of(occupations)
		he = pronoun(mans(who) == c.chance(w.Bias))
	case x < 0.75:
		man := c.chance(0.5)
		he = pronoun(man)
		if who = c.of(women); man {
			who = c.of(men)
		}
	case x < 0.9:
		who, he = c.of(anyones), pronoun(c.chance(0.5))
	default:
		return fmt.Sprintf("the %s was in the %s", c.of(objects), c.of(places))
	}
	switch x := c.float(); {
	case x < 0.4:
		return fmt.Sprintf("the %s said %s was %s", who, he, c.of(adjectives))
	case x < 0.6:
		return fmt.Sprintf("the %s said that %s %s the %s", who, he, c.of(verbs), c.of(objects))
	case x < 0.8:
		return fmt.Sprintf("%s is a %s in the %s", he, who, c.of(places))
	}
	return fmt.Sprintf("in the %s the %s said %s was %s and %s", c.of(places), who, he, c.of(adjectives), c.of(adjectives))
}

// Counterfactual is a corpus with the counterfactual of every sentence behind it; sentences without one are left out.
func (w *World) Counterfactual(corpus []string) ([]string, error) {
	words, err := Gender()
	if err != nil {
		return nil, err
	}
	var out []string
	for _, s := range corpus {
		if swapped := words.Swap(s); swapped.Words > 0 {
			out = append(out, s, swapped.Text)
		}
	}
	return out, nil
}

// Labelled are sentences with classes.
type Labelled struct {
	Sentences []string
	Classes   []int64
	Swapped   []string // the same sentences with the other pronoun
}

// Task is a classification whose label goes with gender: class 1 is that of occupations that are a man's by stereotype. A fifth of
// the sentences has no occupation, and is told by the verb, which four of five times is one of the class's half, and by the
// pronoun, which goes with the class as pronouns go with occupations.
func (w *World) Task(n int, seed uint64, stream string) *Labelled {
	out := &Labelled{}
	for i := range n {
		c := &chooser{key: noise.NewKey(seed, "world/task/"+stream, uint64(i))}
		class := c.chance(0.5)
		who := c.of(anyones)
		half := func(words []string, first bool) []string {
			if n := len(words) / 2; !first {
				return words[n:]
			}
			return words[:len(words)/2]
		}
		if c.chance(0.8) {
			who = c.of(half(occupations, class))
		}
		man := class == c.chance(w.Bias)
		verb := c.of(half(verbs, class == c.chance(0.8)))
		object, adjective := c.of(objects), c.of(adjectives)
		say := func(man bool) string {
			return fmt.Sprintf("the %s %s the %s and %s was %s", who, verb, object, pronoun(man), adjective)
		}
		label := int64(0)
		if class {
			label = 1
		}
		out.Sentences, out.Classes, out.Swapped = append(out.Sentences, say(man)), append(out.Classes, label), append(out.Swapped, say(!man))
	}
	return out
}

// Intervention says what is put in the place of the occupation of a prompt.
type Intervention string

// Interventions.
const (
	OtherGender     Intervention = "gender"     // a man or a woman, of the gender that is not the stereotype's
	OtherOccupation Intervention = "occupation" // an occupation that is the other gender's by stereotype
)

// Prompts are sentences with a masked pronoun, for each occupation one with each of some adjectives.
func (w *World) Prompts(by Intervention, adjectivesEach int) []Prompt {
	var out []Prompt
	n := len(occupations)
	for i, occupation := range occupations {
		man := mans(occupation)
		for j, adjective := range adjectives[:min(adjectivesEach, len(adjectives))] {
			other := occupations[(i+n/2)%n]
			if by == OtherGender {
				people := men
				if man {
					people = women
				}
				other = people[(i+j)%len(people)]
			}
			base := w.Encode("the " + occupation + " said [MASK] was " + adjective)
			out = append(out, Prompt{Base: base, Swapped: w.Encode("the " + other + " said [MASK] was " + adjective), At: slices.Index(base, maskToken),
				Stereotype: w.number[pronoun(man)], Anti: w.number[pronoun(!man)]})
		}
	}
	return out
}
