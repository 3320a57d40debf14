package training

import (
	"regexp"

	"graft/masking"
	"graft/onnx"
)

// everyParameter has nothing frozen: the ones and zeros of a GroupNorm are judged too.
var everyParameter = regexp.MustCompile("")

// artifacts is how the training forms are made; what needs no loss has none, and no target.
func (c SaliencyConfig) artifacts() ArtifactConfig {
	a := ArtifactConfig{Output: c.Output, FrozenNorms: c.FrozenNorms, Provider: c.Session.Provider, Train: everyParameter}
	if c.Needs&masking.NeedLoss != 0 {
		a.Loss = c.Loss
	}
	return a
}

// Contract says what a batch holds for m, as that of artifacts does: the inputs, the output that the loss reads, and the target,
// without a name where there is no loss or where it compares with nothing. Batches are not looked at.
func (c SaliencyConfig) Contract(m *onnx.Model) (*Contract, error) {
	p, err := newPlan(m, c.artifacts())
	if err != nil {
		return nil, err
	}
	contract := &Contract{Loss: p.Loss.Name, LossSettings: p.Loss.Values, Output: p.output, Target: ContractPort{Shape: []any{}}, Outputs: ports(p.base.Graph.Outputs()), Notes: p.notes}
	contract.Inputs, contract.LossInputs = p.userInputs()
	if c.Needs&masking.NeedLoss != 0 && p.target != "" {
		contract.Target = port(&onnx.Value{Name: p.target, Type: p.targetType})
	}
	return contract, nil
}
