// Package training runs training steps on ONNX Runtime: one graph holds forward, backward and update, a Loop runs it over and
// over, and a checkpoint carries its state to another day, to the bit.
//
//	step, err := training.NewStep(model, training.StepConfig{Loss: loss.MSE, Optimizer: optim.Adam(optim.AdamConfig{})})
//	if err != nil {
//		return err
//	}
//	start, err := step.Packing.Pack(func(name string) *onnx.Tensor { return model.Graph.Lookup(name).Const })
//	if err != nil {
//		return err
//	}
//	loop := training.Loop{Step: step, Rate: func(int64) float64 { return 1e-3 }, Feed: func(int64) map[string]*onnx.Tensor { return batch }}
//	end, err := loop.Run(ctx, step.NewSnapshot(start, nil), 1000, 0, nil)
//
// A Direction goes another way than along the gradient; a Landscape tells what the loss is like around weights: its gradient, and
// products with its Hessian. NewArtifacts makes the same as files, which any ONNX Runtime in any language can train with.
package training
