package cli

import "graft/onnx/limits"

// nearest returns the candidate with the smallest edit distance to word, or ""
// when none is near enough to be a slip. Ties go to the earlier candidate.
func nearest(word string, candidates []string) string {
	const longest = 64
	if len(word) > longest {
		return ""
	}
	best, bestDistance := "", len(word)/3+2
	for _, c := range candidates {
		if d := limits.EditDistance(word, c); d < bestDistance && d < max(len(word), len(c)) {
			best, bestDistance = c, d
		}
	}
	if best == "" && len(word) >= 3 {
		for _, c := range candidates {
			if len(c) > len(word) && c[:len(word)] == word {
				return c
			}
		}
	}
	return best
}

func didYouMean(candidate string) string {
	if candidate == "" {
		return ""
	}
	return "; did you mean " + candidate + "?"
}
