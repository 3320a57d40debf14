package pipeline

import "graft/onnx/limits"

// didYouMean names the candidate that word is a slip of, if there is one.
func didYouMean(word string, candidates []string) string {
	best := limits.Nearest(word, candidates)
	if best == "" {
		return ""
	}
	return "; did you mean " + best + "?"
}
