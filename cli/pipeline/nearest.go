package pipeline

import "graft/onnx/limits"

// didYouMean names the candidate that is one or two slips away from word, if there is one.
func didYouMean(word string, candidates []string) string {
	if len(word) > maxNameSize {
		return ""
	}
	best, least := "", len(word)/3+2
	for _, c := range candidates {
		if d := limits.EditDistance(word, c); d < least && d < max(len(word), len(c)) {
			best, least = c, d
		}
	}
	if best == "" {
		return ""
	}
	return "; did you mean " + best + "?"
}
