package analysis

import (
	"fmt"

	"graft/onnx"
)

// Signals denoises signals as long as the operator's rows, all of a batch together. The zero Operator is refused.
type Signals struct {
	Operator Operator
	Beta     float64 // what the file recommends for the input of that name
	Optional bool    // beta need not be fed: it is an initializer too. Runtimes in JavaScript then cannot change it
	Cold     bool    // z begins at 0, not at a ridge solution; both end at the same
	Solver           // 100 iterations, more than patches have, which are averaged; a tolerance is of all signals together
}

// Build makes the model: inputs signals, float [N,L] with L the operator's columns, and beta, a scalar, which counts as 0 below; output
// denoised, of the same shape. There is nothing to draw: the seed changes nothing.
func (p Signals) Build(uint64) (*onnx.Model, error) {
	p.Solver = p.Solver.defaults(100)
	m, err := p.build()
	if err != nil {
		return nil, fmt.Errorf("build denoiser of signals: %w", err)
	}
	return m, nil
}

func (p Signals) build() (*onnx.Model, error) {
	if err := p.Operator.check(); err != nil {
		return nil, err
	}
	if err := p.Solver.check(); err != nil {
		return nil, err
	}
	shape := onnx.Shape{{Symbol: "N"}, {Size: int64(p.Operator.Columns)}}
	d, err := newDenoiser("signals", InputSignals, shape, p.Beta, p.Optional)
	if err != nil {
		return nil, err
	}
	// A signal is a patch of one column.
	f, err := Patches{Operator: p.Operator, Cold: p.Cold}.form(d, 1)
	if err != nil {
		return nil, err
	}
	d.metadata(KeyMethod, MethodSignals, keyOrigin, p.Operator.String(), "graft.cold", fmt.Sprint(p.Cold))
	d.describe(p.Solver)
	return d.finish(d.solver(f, p.Solver)(d.b, d.image))
}
