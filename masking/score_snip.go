package masking

// snip keeps the weights whose removal changes the loss most, to first order: |g w| (Lee, Ajanthan, Torr, arXiv 1810.02340).
// The authors of Optimal Eye Surgeon rank by |g| alone.
var snip = Score{Name: "snip", Doc: "keep the weights that the loss feels most: |gradient times weight|",
	Rule: Rule{Needs: NeedGradient, Of: each(func(e *Evidence, i int) float32 { return abs(e.Gradient[i] * e.Weight[i]) })},
	OES:  &Rule{Needs: NeedGradient, Of: each(func(e *Evidence, i int) float32 { return abs(e.Gradient[i]) })}}
