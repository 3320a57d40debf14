package masking

// synflow keeps the weights that lie on the strongest paths from input to output, whatever the data: |w| dR/d|w| for R the sum
// of the outputs of the network of absolute weights with an input of ones, in 100 rounds (Tanaka, Kunin, Yamins, Ganguli, arXiv
// 2006.05467). The authors of Optimal Eye Surgeon rank once, by |dR/dw| for the weights and the input as they are.
var synflow = Score{Name: "synflow", Doc: "keep the weights on the strongest paths from input to output, in 100 rounds",
	Rule: Rule{Needs: NeedFlow, Rounds: 100, Of: each(func(e *Evidence, i int) float32 { return abs(e.Weight[i]) * e.Flow[i] })},
	OES:  &Rule{Needs: NeedOutputGradient, Of: each(func(e *Evidence, i int) float32 { return abs(e.OutputGradient[i]) })}}
