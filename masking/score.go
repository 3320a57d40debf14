package masking

import (
	"fmt"
	"strings"

	"graft/onnx"
)

// Score is a pruning method: it says of every element of a parameter how much it is worth keeping.
type Score struct {
	Name string
	Doc  string // one line, with the source
	// Of gives one number for each element of v's tensor, in its order; larger means keep. v is a float initializer.
	Of func(v *onnx.Value, seed uint64) []float32
}

// Scores lists the methods by name.
var Scores = []Score{magnitude, random}

// FindScore looks a method up; the error lists the names there are.
func FindScore(name string) (Score, error) {
	for _, s := range Scores {
		if s.Name == name {
			return s, nil
		}
	}
	return Score{}, fmt.Errorf("unknown pruning method %q: there are %s", name, strings.Join(ScoreNames(), ", "))
}

// ScoreNames lists the names of the methods.
func ScoreNames() []string {
	names := make([]string, len(Scores))
	for i, s := range Scores {
		names[i] = s.Name
	}
	return names
}
