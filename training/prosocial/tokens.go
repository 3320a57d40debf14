package prosocial

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"

	"graft/graphs/language"
	"graft/onnx"
	"graft/onnx/noise"
	"graft/training"
)

// IgnoreLabel is the label of tokens whose loss does not count.
const IgnoreLabel = -100

// Tokens says what numbers of tokens stand for.
type Tokens struct {
	Size    int64          // of the vocabulary
	Pad     int64          // fills up
	Mask    int64          // stands where a token is to be guessed
	Special map[int64]bool // that are never guessed: padding, begin, end
}

// Batches are lines of tokens as batches: lines of like length lie together, in an order of chance that is another one in every
// epoch, filled up to the longest of each batch.
type Batches struct {
	Tokens Tokens
	Lines  [][]int64
	Types  [][]int64 // the segment of each token of Lines; nil: all 0
	Size   int       // lines of a batch
	Seed   uint64
	Model  string         // type of the model, which says what inputs there are
	Labels func(b *Batch) // makes Batch.Labels; nil: there are none

	epoch int64
	order [][]int // of the epoch, the batches' lines
}

// Batch is a batch under way.
type Batch struct {
	Step    int64
	Lines   []int // numbers of its lines
	Rows    int
	Length  int64
	IDs     []int64 // Rows times Length
	Mask    []int64 // one where a token is, zero where the line is filled up
	Types   []int64 // segments
	Labels  *onnx.Tensor
	Batches *Batches
}

// window is how many batches are sorted by length together.
const window = 64

// PerEpoch is the number of batches of an epoch, the last of which may be smaller.
func (d *Batches) PerEpoch() int64 { return int64((len(d.Lines) + d.Size - 1) / d.Size) }

// At is the batch of a step, the first being 1.
func (d *Batches) At(step int64) (map[string]*onnx.Tensor, error) {
	if len(d.Lines) == 0 || d.Size < 1 {
		return nil, fmt.Errorf("batches of %d of %d lines", d.Size, len(d.Lines))
	}
	epoch := (step - 1) / d.PerEpoch()
	if d.order == nil || epoch != d.epoch {
		d.epoch, d.order = epoch, d.shuffled(epoch)
	}
	b := d.batch(d.order[(step-1)%d.PerEpoch()])
	b.Step = step
	if d.Labels != nil {
		d.Labels(b)
	}
	return b.feeds(), nil
}

// shuffled cuts an epoch into batches.
func (d *Batches) shuffled(epoch int64) [][]int {
	at := permutation(len(d.Lines), noise.NewKey(d.Seed, "lines", uint64(epoch)))
	var batches [][]int
	for part := range slices.Chunk(at, window*d.Size) {
		slices.SortStableFunc(part, func(a, b int) int { return cmp.Compare(len(d.Lines[a]), len(d.Lines[b])) })
		batches = slices.AppendSeq(batches, slices.Chunk(part, d.Size))
	}
	out := make([][]int, len(batches))
	for i, j := range permutation(len(batches), noise.NewKey(d.Seed, "batches", uint64(epoch))) {
		out[i] = batches[j]
	}
	return out
}

// permutation is an order of chance of so many things.
func permutation(n int, k noise.Key) []int {
	u, at := make([]float32, n), make([]int, n)
	noise.Uniform(u, k)
	for i := range at {
		at[i] = i
	}
	slices.SortStableFunc(at, func(a, b int) int { return cmp.Compare(u[a], u[b]) })
	return at
}

func (d *Batches) batch(lines []int) *Batch {
	b := &Batch{Lines: lines, Rows: len(lines), Batches: d}
	for _, i := range lines {
		b.Length = max(b.Length, int64(len(d.Lines[i])))
	}
	b.IDs, b.Mask, b.Types = make([]int64, int64(b.Rows)*b.Length), make([]int64, int64(b.Rows)*b.Length), make([]int64, int64(b.Rows)*b.Length)
	for r, i := range lines {
		row, mask := b.row(b.IDs, r), b.row(b.Mask, r)
		for j := range row {
			if row[j] = d.Tokens.Pad; j < len(d.Lines[i]) {
				row[j], mask[j] = d.Lines[i][j], 1
			}
		}
		if d.Types != nil {
			copy(b.row(b.Types, r), d.Types[i])
		}
	}
	return b
}

func (b *Batch) row(of []int64, r int) []int64 { return of[int64(r)*b.Length : int64(r+1)*b.Length] }

func (b *Batch) feeds() map[string]*onnx.Tensor {
	dims := []int64{int64(b.Rows), b.Length}
	out := map[string]*onnx.Tensor{"input_ids": onnx.FromSlice(b.IDs, dims...), "attention_mask": onnx.FromSlice(b.Mask, dims...)}
	if language.HasSegments(b.Batches.Model) {
		out["token_type_ids"] = onnx.FromSlice(b.Types, dims...)
	}
	if b.Labels != nil {
		name := training.InputLabels
		if b.Labels.DType == onnx.Float {
			name = training.InputTarget
		}
		out[name] = b.Labels
	}
	return out
}

// Masking chooses tokens that a model is to guess, and what it sees in their places (Devlin et al. 2019). A zero value is 15 %,
// of which 80 % are masked, 10 % are other tokens and 10 % are as they were.
type Masking struct {
	Part   float64 // of the tokens that is guessed; 0: 0.15
	Masked float64 // of those, that is masked; 0: 0.8
	Other  float64 // of those, that is another token; 0: 0.1
}

// Labels makes the labels [rows·length] of a batch, and hides what is to be guessed. What is chosen is a function of seed and step.
func (m Masking) Labels(b *Batch) {
	part, masked, other := cmp.Or(m.Part, 0.15), cmp.Or(m.Masked, 0.8), cmp.Or(m.Other, 0.1)
	t := b.Batches.Tokens
	labels := make([]int64, len(b.IDs))
	u := make([]float32, 3*len(b.IDs))
	noise.Uniform(u, noise.NewKey(b.Batches.Seed, "mask", uint64(b.Step)))
	for i, id := range b.IDs {
		labels[i] = IgnoreLabel
		if b.Mask[i] == 0 || t.Special[id] || float64(u[3*i]) >= part {
			continue
		}
		labels[i] = id
		switch how := float64(u[3*i+1]); {
		case how < masked:
			b.IDs[i] = t.Mask
		case how < masked+other:
			b.IDs[i] = min(int64(float64(u[3*i+2])*float64(t.Size)), t.Size-1)
		}
	}
	b.Labels = onnx.FromSlice(labels)
}

// NextToken makes the labels [rows·length] of a batch: for each token the one behind it.
func NextToken(b *Batch) {
	labels := make([]int64, len(b.IDs))
	for r := range b.Rows {
		ids, mask, to := b.row(b.IDs, r), b.row(b.Mask, r), b.row(labels, r)
		for j := range to {
			if to[j] = IgnoreLabel; j+1 < len(ids) && mask[j+1] == 1 {
				to[j] = ids[j+1]
			}
		}
	}
	b.Labels = onnx.FromSlice(labels)
}

// Classes makes the labels [rows] of a batch of classes that lines have.
func Classes(of []int64) func(*Batch) {
	return func(b *Batch) {
		labels := make([]int64, b.Rows)
		for r, i := range b.Lines {
			labels[r] = of[i]
		}
		b.Labels = onnx.FromSlice(labels)
	}
}

// Scores makes the labels [rows,1] of a batch of numbers that lines have.
func Scores(of []float32) func(*Batch) {
	return func(b *Batch) {
		labels := make([]float32, b.Rows)
		for r, i := range b.Lines {
			labels[r] = of[i]
		}
		b.Labels = onnx.FromSlice(labels, int64(b.Rows), 1)
	}
}

// Hash is one of the lines.
func (d *Batches) Hash() string {
	h := sha256.New()
	for _, line := range d.Lines {
		h.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(line))))
		h.Write(onnx.FromSlice(line).Data)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Within is how many of the first steps have no more tokens than most, and how many tokens those have; at least one step.
func (d *Batches) Within(steps, most int64) (n, tokens int64) {
	for epoch := int64(0); n < steps; epoch++ {
		for _, lines := range d.shuffled(epoch) {
			more := int64(0)
			for _, i := range lines {
				more += int64(len(d.Lines[i]))
			}
			if n == steps || n > 0 && tokens+more > most {
				return n, tokens
			}
			n, tokens = n+1, tokens+more
		}
	}
	return n, tokens
}
