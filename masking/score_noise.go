package masking

import "math"

// posteriorNoise keeps the weights that are large against the noise that a trained posterior bears at them: |w|/sigma (the prob_prune
// extension of PAC-Bayes training). A parameter without deviations stays whole.
var posteriorNoise = Score{Name: "pac-noise", Doc: "keep the weights that are large against the noise of a PAC-Bayes posterior (--certificate)",
	Rule: Rule{Needs: NeedDeviation, Of: func(e Evidence) []float32 {
		scores := make([]float32, len(e.Weight))
		for i, w := range e.Weight {
			if scores[i] = math.MaxFloat32; e.Deviation != nil {
				scores[i] = min(abs(w)/e.Deviation[i], math.MaxFloat32)
			}
		}
		return scores
	}}}
