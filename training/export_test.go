package training

import "graft/onnx"

// LoopModel is the graph that a loop runs for s on the CPU.
func LoopModel(s *Step) (*onnx.Model, error) {
	f, err := s.loopForm("")
	if err != nil {
		return nil, err
	}
	return f.model, nil
}
