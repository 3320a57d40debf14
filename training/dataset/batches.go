package dataset

import (
	"fmt"
	"maps"
	"slices"

	"graft/onnx"
	"graft/onnx/limits"
	"graft/onnx/noise"
)

// Batches cuts arrays of samples into the batches of a training run. What a step is given is a function of the seed and the
// step alone: each epoch goes through all samples in an order of its own.
type Batches struct {
	rows    map[string]*onnx.Tensor // the first axis counts samples
	whole   map[string]*onnx.Tensor // given to every step as they are
	samples int64
	size    int64
	partial bool // the last batch of an epoch may be smaller
	seed    uint64

	epoch int64 // that order is of; -1: none
	order []uint32
	batch map[string]*onnx.Tensor
}

// BatchConfig says how samples become batches.
type BatchConfig struct {
	Size    int64 // samples of a batch
	Partial bool  // what is left of an epoch is a smaller batch; otherwise it is left out
	Seed    uint64
}

// NewBatches makes batches of rows, whose first axes must agree, beside tensors that every step gets whole. Without rows an
// epoch is one step.
func NewBatches(rows, whole map[string]*onnx.Tensor, c BatchConfig) (*Batches, error) {
	b := &Batches{rows: rows, whole: whole, size: c.Size, partial: c.Partial, seed: c.Seed, epoch: -1, samples: -1, batch: map[string]*onnx.Tensor{}}
	first := ""
	for _, name := range slices.Sorted(maps.Keys(rows)) {
		t := rows[name]
		switch {
		case len(t.Dims) == 0:
			return nil, fmt.Errorf("make batches: %s is a scalar, it has no samples", limits.Name(name))
		case b.samples >= 0 && t.Dims[0] != b.samples:
			return nil, fmt.Errorf("make batches: %s has %d samples, %s has %d", limits.Name(name), t.Dims[0], limits.Name(first), b.samples)
		case t.DType.Bits()%8 != 0 || t.DType.Bits() == 0:
			return nil, fmt.Errorf("make batches: %s is %v, which has no whole bytes", limits.Name(name), t.DType)
		}
		first, b.samples = name, t.Dims[0]
	}
	const most = 1 << 31
	switch {
	case len(rows) == 0:
		b.samples, b.size = 1, 1
	case b.samples < 1 || b.samples > most:
		return nil, fmt.Errorf("make batches: %d samples, want 1 to %d", b.samples, int64(most))
	case b.size < 1 || b.size > b.samples && !b.partial:
		return nil, fmt.Errorf("make batches: batches of %d of %d samples", b.size, b.samples)
	}
	b.size = min(b.size, b.samples)
	return b, nil
}

// PerEpoch is the number of steps of an epoch.
func (b *Batches) PerEpoch() int64 {
	if b.partial {
		return (b.samples + b.size - 1) / b.size
	}
	return b.samples / b.size
}

// Samples is the number of samples; Size the number of them in a batch.
func (b *Batches) Samples() int64 { return b.samples }

// Size is the number of samples in a batch.
func (b *Batches) Size() int64 { return b.size }

// Epoch is the epoch that a step, from 1 on, belongs to; the first is 1.
func (b *Batches) Epoch(step int64) int64 { return (step-1)/b.PerEpoch() + 1 }

// At gives the tensors of a step, from 1 on. They are valid until the next call.
func (b *Batches) At(step int64) map[string]*onnx.Tensor {
	out := make(map[string]*onnx.Tensor, len(b.rows)+len(b.whole))
	for name, t := range b.whole {
		out[name] = t
	}
	if len(b.rows) == 0 {
		return out
	}
	per := b.PerEpoch()
	if epoch := (step - 1) / per; epoch != b.epoch {
		b.epoch = epoch
		b.order = shuffled(b.order, b.samples, noise.NewKey(b.seed, "shuffle", uint64(epoch)))
	}
	from := (step - 1) % per * b.size
	picked := b.order[from:min(from+b.size, b.samples)]
	for name, t := range b.rows {
		out[name] = b.gather(name, t, picked)
	}
	return out
}

// gather copies the picked samples. Batches of full size reuse their memory.
func (b *Batches) gather(name string, t *onnx.Tensor, picked []uint32) *onnx.Tensor {
	to := b.batch[name]
	if to == nil || to.Dims[0] != int64(len(picked)) {
		dims := append([]int64{int64(len(picked))}, t.Dims[1:]...)
		to = onnx.NewTensor(t.DType, dims...)
		if int64(len(picked)) == b.size {
			b.batch[name] = to
		}
	}
	width := int64(len(t.Data)) / t.Dims[0]
	for i, at := range picked {
		copy(to.Data[int64(i)*width:int64(i+1)*width], t.Data[int64(at)*width:])
	}
	return to
}

// shuffled is a permutation of n numbers (Fisher and Yates), in the memory of order where that is large enough.
func shuffled(order []uint32, n int64, key noise.Key) []uint32 {
	order = order[:0]
	for i := range n {
		order = append(order, uint32(i))
	}
	for i := n - 1; i > 0; i-- {
		// Two numbers of 23 bits are enough to choose evenly among 2^31.
		u := float64(noise.Float(key, uint32(2*i))) + float64(noise.Float(key, uint32(2*i+1)))/(1<<23)
		j := min(int64(u*float64(i+1)), i)
		order[i], order[j] = order[j], order[i]
	}
	return order
}
