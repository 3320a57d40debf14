package pacbayes

import (
	"graft/onnx"
	"graft/onnx/noise"
)

// sampler draws the normal numbers of every step, those of the next step while the present one runs. They are a function of
// seed, stream and step alone.
type sampler struct {
	seed    uint64
	stream  string
	buffers [2]*onnx.Tensor
	turn    int
	next    chan int64 // the step that the other buffer is filled for
	ahead   bool
}

func newSampler(n int64, seed uint64, stream string) *sampler {
	return &sampler{seed: seed, stream: stream, buffers: [2]*onnx.Tensor{onnx.NewTensor(onnx.Float, n), onnx.NewTensor(onnx.Float, n)}, next: make(chan int64, 1)}
}

// at gives the numbers of a step; they stay until the next call but one.
func (s *sampler) at(step int64) *onnx.Tensor {
	if !s.ahead || <-s.next != step {
		s.fill(1-s.turn, step)
	}
	s.turn = 1 - s.turn
	s.ahead = true
	go func(turn int) {
		s.fill(turn, step+1)
		s.next <- step + 1
	}(1 - s.turn)
	return s.buffers[s.turn]
}

func (s *sampler) fill(turn int, step int64) {
	noise.Normal(s.buffers[turn].Float32s(), noise.NewKey(s.seed, s.stream, uint64(step)))
}

// stop waits for the numbers that are being drawn.
func (s *sampler) stop() {
	if s.ahead {
		<-s.next
		s.ahead = false
	}
}
