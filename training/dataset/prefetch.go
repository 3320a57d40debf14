package dataset

import (
	"sync"

	"graft/onnx"
)

// Prefetcher makes the batches of the next steps ready while the last one is being worked on. What a step is given is what
// Batches gives it, whoever is faster.
type Prefetcher struct {
	batches *Batches
	free    chan buffer
	held    buffer // of the batch handed out last

	ready chan fetchedBatch
	next  int64 // the step that comes out of ready next
	stop  chan struct{}
	done  sync.WaitGroup
}

type fetchedBatch struct {
	tensors map[string]*onnx.Tensor
	memory  buffer
	err     error
}

// prefetchDepth is how many batches are in memory: one in use, and the ones that wait.
const prefetchDepth = 3

// NewPrefetcher takes batches over; nobody else may use them until Close.
func NewPrefetcher(b *Batches) *Prefetcher {
	p := &Prefetcher{batches: b, free: make(chan buffer, prefetchDepth), next: -1}
	for range prefetchDepth {
		p.free <- buffer{}
	}
	return p
}

// At gives the tensors of a step, valid until the next call. Steps are expected in order; another one costs the work that
// was done ahead.
func (p *Prefetcher) At(step int64) (map[string]*onnx.Tensor, error) {
	if step != p.next {
		p.Close()
		p.begin(step)
	}
	if p.held != nil {
		p.free <- p.held
		p.held = nil
	}
	got := <-p.ready
	p.held, p.next = got.memory, step+1
	if got.err != nil { // the goroutine has ended: asked again, the step is tried again
		p.Close()
	}
	return got.tensors, got.err
}

// begin starts the goroutine that works ahead from a step on.
func (p *Prefetcher) begin(step int64) {
	p.next = step
	p.stop, p.ready = make(chan struct{}), make(chan fetchedBatch, prefetchDepth)
	stop, ready := p.stop, p.ready
	p.done.Go(func() {
		for ; ; step++ {
			var memory buffer
			select {
			case <-stop:
				return
			case memory = <-p.free:
			}
			tensors, err := p.batches.at(step, memory)
			ready <- fetchedBatch{tensors, memory, err} // has room for every buffer there is
			if err != nil {
				return
			}
		}
	})
}

// Close ends the work ahead. The prefetcher may be used again.
func (p *Prefetcher) Close() {
	p.next = -1
	if p.stop == nil {
		return
	}
	close(p.stop)
	p.done.Wait()
	p.stop = nil
	if p.held != nil {
		p.free <- p.held
		p.held = nil
	}
	for len(p.ready) > 0 {
		p.free <- (<-p.ready).memory
	}
}
