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

// UpdatedInPlace lists what a loop writes over for s on the CPU, and how many states it has.
func UpdatedInPlace(s *Step) (inPlace []string, states int, err error) {
	f, err := s.loopForm("")
	if err != nil {
		return nil, 0, err
	}
	for name, in := range f.inPlace {
		if in {
			inPlace = append(inPlace, name)
		}
	}
	return inPlace, len(f.inPlace), nil
}

// StateOf is what a runtime's state of the step itself starts with, by input, each of which output input+".next" becomes.
func StateOf(s *Step, from *Snapshot) (map[string]*onnx.Tensor, error) {
	initial, _, err := s.links(from)
	return initial, err
}
