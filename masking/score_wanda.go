package masking

// wanda keeps the weights that are large against what they are multiplied with: |w| times the norm of the input feature (Sun,
// Liu, Bair, Kolter, arXiv 2306.11695, who compare within each output: scope row).
var wanda = Score{Name: "wanda", Doc: "keep the weights that are large times the norm of their input", Scope: Row,
	Rule: Rule{Needs: NeedInputNorm, Of: each(func(e *Evidence, i int) float32 { return abs(e.Weight[i]) * e.InputNorm[i] })}}
