// Package ort reads what ONNX Runtime's own training, which ended with release 1.19, wrote: its checkpoint (a flatbuffer with
// the identifier ODTC), the forward part of its training_model.onnx, and the settings of its optimizer_model.onnx.
//
//	c, err := ort.ReadCheckpoint("artifacts/checkpoint")
//	if err != nil {
//		return err // an *limits.InputError: the file is foreign
//	}
//	f, err := ort.NewForward(model, c) // of training_model.onnx
//	if err != nil {
//		return err
//	}
//	a, err := training.NewArtifacts(f.Model, training.ArtifactConfig{Loss: f.Loss, Optimizer: optimizer})
package ort
