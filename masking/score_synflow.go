package masking

// synflow keeps the weights that lie on the strongest paths from input to output, whatever the data: |w| dR/d|w| for R the sum
// of the outputs of the network of absolute weights with an input of ones, in 100 rounds (Tanaka, Kunin, Yamins, Ganguli, arXiv
// 2006.05467).
var synflow = Score{Name: "synflow", Doc: "keep the weights on the strongest paths from input to output, in 100 rounds", Needs: NeedFlow, Rounds: 100,
	Of: each(func(e *Evidence, i int) float32 { return abs(e.Weight[i]) * e.Flow[i] })}
