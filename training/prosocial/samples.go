package prosocial

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

// labels makes those of a batch.
func (s *Samples) labels() func(*Batch) {
	if s.Scores != nil {
		return Scores(s.Scores)
	}
	return Classes(s.Classes)
}
