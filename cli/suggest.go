package cli

import (
	"strings"

	"graft/onnx/limits"
)

// nearest is the candidate that word is a slip of, or the first one that it begins; "" when there is none.
func nearest(word string, candidates []string) string {
	if best := limits.Nearest(word, candidates); best != "" || len(word) < 3 {
		return best
	}
	for _, c := range candidates {
		if len(c) > len(word) && strings.HasPrefix(c, word) {
			return c
		}
	}
	return ""
}

func didYouMean(candidate string) string {
	if candidate == "" {
		return ""
	}
	return "; did you mean " + candidate + "?"
}
