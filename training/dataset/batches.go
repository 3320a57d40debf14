package dataset

import (
	"fmt"
	"maps"
	"slices"

	"graft/onnx"
	"graft/onnx/limits"
	"graft/onnx/noise"
)

// Batches cuts samples into the batches of a training run. What a step is given is a function of the seed and the step
// alone: each epoch goes through all samples in an order of its own.
type Batches struct {
	rows    map[string]Rows
	whole   map[string]*onnx.Tensor // given to every step as they are
	samples int64
	size    int64
	partial bool // the last batch of an epoch may be smaller
	ordered bool
	seed    uint64
	moved   string // rows whose pictures are augmented; "": none
	augment Augmentation

	epoch  int64 // that order is of; -1: none
	order  []uint32
	buffer buffer
}

// buffer is the memory of batches that are not needed at the same time.
type buffer map[string]*onnx.Tensor

// BatchConfig says how samples become batches.
type BatchConfig struct {
	Size    int64 // samples of a batch
	Partial bool  // what is left of an epoch is a smaller batch; otherwise it is left out
	Ordered bool  // the order of the samples, in every epoch
	Seed    uint64
}

// NewBatches makes batches of rows, which must have as many samples each, beside tensors that every step gets whole. Without
// rows an epoch is one step.
func NewBatches(rows map[string]Rows, whole map[string]*onnx.Tensor, c BatchConfig) (*Batches, error) {
	b := &Batches{rows: rows, whole: whole, size: c.Size, partial: c.Partial, ordered: c.Ordered, seed: c.Seed, epoch: -1, samples: -1, buffer: buffer{}}
	first := ""
	for _, name := range slices.Sorted(maps.Keys(rows)) {
		n := rows[name].Len()
		if b.samples >= 0 && n != b.samples {
			return nil, fmt.Errorf("make batches: %s has %d samples, %s has %d", limits.Name(name), n, limits.Name(first), b.samples)
		}
		first, b.samples = name, n
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

// Samples is the number of samples.
func (b *Batches) Samples() int64 { return b.samples }

// Size is the number of samples in a batch.
func (b *Batches) Size() int64 { return b.size }

// Epoch is the epoch that a step, from 1 on, belongs to; the first is 1.
func (b *Batches) Epoch(step int64) int64 { return (step-1)/b.PerEpoch() + 1 }

// Count is the number of samples that a step is given.
func (b *Batches) Count(step int64) int64 {
	from := (step - 1) % b.PerEpoch() * b.size
	return min(b.size, b.samples-from)
}

// At gives the tensors of a step, from 1 on. They are valid until the next call.
func (b *Batches) At(step int64) (map[string]*onnx.Tensor, error) { return b.at(step, b.buffer) }

// at is At in the memory of a buffer.
func (b *Batches) at(step int64, memory buffer) (map[string]*onnx.Tensor, error) {
	out := make(map[string]*onnx.Tensor, len(b.rows)+len(b.whole))
	maps.Copy(out, b.whole)
	if len(b.rows) == 0 {
		return out, nil
	}
	per := b.PerEpoch()
	if epoch := (step - 1) / per; epoch != b.epoch {
		b.epoch = epoch
		b.arrange(epoch)
	}
	from := (step - 1) % per * b.size
	picked := b.order[from:min(from+b.size, b.samples)]
	for name, rows := range b.rows {
		t := b.room(name, rows, int64(len(picked)), memory)
		if err := rows.Gather(t.Data, picked); err != nil {
			return nil, fmt.Errorf("read the samples of step %d: %w", step, err)
		}
		if name == b.moved {
			b.augment.apply(t, noise.NewKey(b.seed, "augment", uint64(step)))
		}
		out[name] = t
	}
	return out, nil
}

// Augment has the pictures of the named rows, float [C,H,W] each, moved by numbers that follow from the seed and the step.
func (b *Batches) Augment(name string, a Augmentation) error {
	if a.IsZero() {
		return nil
	}
	rows := b.rows[name]
	if rows == nil {
		return fmt.Errorf("augment %s: it has no samples", limits.Name(name))
	}
	if dtype, dims := rows.Sample(); dtype != onnx.Float || len(dims) != 3 {
		return fmt.Errorf("augment %s: samples are %v %v, pictures are float [channels height width]", limits.Name(name), dtype, dims)
	}
	b.moved, b.augment = name, a
	return nil
}

// room is a tensor for count samples. Batches of full size reuse their memory.
func (b *Batches) room(name string, rows Rows, count int64, memory buffer) *onnx.Tensor {
	if t := memory[name]; t != nil && t.Dims[0] == count {
		return t
	}
	dtype, dims := rows.Sample()
	t := onnx.NewTensor(dtype, append([]int64{count}, dims...)...)
	if count == b.size {
		memory[name] = t
	}
	return t
}

// arrange makes the order of an epoch.
func (b *Batches) arrange(epoch int64) {
	if !b.ordered {
		b.order = shuffled(b.order, b.samples, noise.NewKey(b.seed, "shuffle", uint64(epoch)))
		return
	}
	if b.order == nil {
		b.order = numbers(nil, b.samples)
	}
}

func numbers(order []uint32, n int64) []uint32 {
	for i := range n {
		order = append(order, uint32(i))
	}
	return order
}

// shuffled is a permutation of n numbers (Fisher and Yates), in the memory of order where that is large enough.
func shuffled(order []uint32, n int64, key noise.Key) []uint32 {
	order = numbers(order[:0], n)
	for i := n - 1; i > 0; i-- {
		// Two numbers of 23 bits are enough to choose evenly among 2^31.
		u := float64(noise.Float(key, uint32(2*i))) + float64(noise.Float(key, uint32(2*i+1)))/(1<<23)
		j := min(int64(u*float64(i+1)), i)
		order[i], order[j] = order[j], order[i]
	}
	return order
}

// Split draws a fraction of n samples from the seed: the numbers of the rest and of the drawn, each in order. Both have one
// at least.
func Split(n int64, fraction float64, seed uint64) (rest, drawn []uint32, err error) {
	k := int64(fraction * float64(n))
	if k < 1 || k >= n {
		return nil, nil, fmt.Errorf("set %g of %d samples aside: that leaves none on one side", fraction, n)
	}
	order := shuffled(nil, n, noise.NewKey(seed, "split", 0))
	drawn, rest = order[:k:k], order[k:]
	slices.Sort(drawn)
	slices.Sort(rest)
	return rest, drawn, nil
}
