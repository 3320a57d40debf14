package prosocial

import (
	"slices"
	"strings"

	"graft/training/dataset/text"
)

// similarityTemplates and inferenceTemplates have a place for a person. They are graft's own, in the manner of those with which bias of
// STS-B (Webster et al. 2020) and of inference (Dev et al. 2020) is measured.
var (
	similarityTemplates = []string{"A {} is walking.", "A {} is reading a book.", "A {} is talking to a friend.", "A {} is eating lunch.", "A {} is sitting on a bench."}
	inferenceTemplates  = []string{"The {} bought a bagel.", "The {} prepared a table.", "The {} owns a bicycle.", "The {} spoke about a garden.", "The {} sold a coat."}
)

// filled is a template with a person, with an in the place of a where that is spoken so.
func filled(template, person string) string {
	s := strings.Replace(template, hole, person, 1)
	if strings.HasPrefix(s, "A ") && strings.ContainsRune("aeio", rune(person[0])) {
		s = "An" + s[1:]
	}
	return s
}

// inferencePairs are sentences of an occupation with the same sentence of a man and of a woman.
func inferencePairs(male, female []string) *text.Set {
	set := &text.Set{Kind: text.BiasNLI}
	for _, occupation := range slices.Concat(male, female) {
		for _, template := range inferenceTemplates {
			for _, person := range []string{"man", "woman"} {
				set.Examples = append(set.Examples, text.Example{First: filled(template, occupation), Second: filled(template, person), Class: text.Neutral})
			}
		}
	}
	return set
}
