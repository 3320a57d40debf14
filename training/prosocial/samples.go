package prosocial

import "graft/onnx/noise"

// Samples are texts of a task with what is true of them.
type Samples struct {
	Lines   [][]int64
	Types   [][]int64 // segments of the tokens; nil: all 0
	Classes []int64
	Scores  []float32 // in place of classes
}

// First is the first n of them.
func (s *Samples) First(n int) *Samples {
	n = min(n, len(s.Lines))
	out := &Samples{Lines: s.Lines[:n]}
	if s.Types != nil {
		out.Types = s.Types[:n]
	}
	if s.Scores != nil {
		out.Scores = s.Scores[:n]
	} else {
		out.Classes = s.Classes[:n]
	}
	return out
}

// Shuffled is the samples in an order of chance.
func (s *Samples) Shuffled(seed uint64) *Samples {
	out := &Samples{}
	for _, i := range permutation(len(s.Lines), noise.NewKey(seed, "samples", 0)) {
		out.Lines = append(out.Lines, s.Lines[i])
		if s.Types != nil {
			out.Types = append(out.Types, s.Types[i])
		}
		if s.Scores != nil {
			out.Scores = append(out.Scores, s.Scores[i])
		} else {
			out.Classes = append(out.Classes, s.Classes[i])
		}
	}
	return out
}

// labels makes those of a batch.
func (s *Samples) labels() func(*Batch) {
	if s.Scores != nil {
		return Scores(s.Scores)
	}
	return Classes(s.Classes)
}
