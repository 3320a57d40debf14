package cli

import (
	"graft/masking"
	"graft/onnx"
	"graft/training"
	"graft/training/loss"
)

// recalibrate estimates the running statistics of norms anew for the weights that are left, on --data. It changes m.
func (c *call) recalibrate(m *onnx.Model, path string) error {
	mse, err := loss.Lookup("mse")
	if err != nil {
		return err
	}
	network, err := training.NewGated(m, training.ArtifactConfig{Loss: mse, Output: c.Text("output"), Provider: c.runtimeOptions().Provider})
	if err != nil {
		return noEvidence(path, err)
	}
	norms, err := network.NewNorms(c.runtimeOptions())
	if err != nil {
		return noEvidence(path, err)
	}
	defer norms.Close()
	if !norms.Any() {
		c.Say("--recalibrate: the model has no BatchNormalization with running statistics")
		return nil
	}
	weights, err := network.Initial()
	if err != nil {
		return noEvidence(path, err)
	}
	data, _, file, err := c.pruneData(m, path, training.SaliencyConfig{Needs: masking.NeedInputNorm, Output: c.Text("output")}, mostRecalibrated)
	if err != nil {
		return err
	}
	estimated, err := norms.Estimate(c.Context(), weights, data)
	if err != nil {
		return noEvidence(file, err)
	}
	for name, t := range estimated {
		t.Name = name
		training.SetTensors(m, []*onnx.Tensor{t})
	}
	return nil
}

// mostRecalibrated is the largest batch that norms see.
const mostRecalibrated = 128
