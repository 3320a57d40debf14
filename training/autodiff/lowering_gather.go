package autodiff

import (
	"slices"

	"graft/onnx"
	"graft/onnx/op"
)

// scatterAlong is zeros to which the entries of d along an axis are added, each at the place that the vector at holds for
// it; places may count from the end and repeat. Along the axis the result has the given size, else d's.
func (b *Builder) scatterAlong(at, d, size *onnx.Value, axis int) *onnx.Value {
	if _, known := consecutive(at); b.options.Deterministic && b.options.Device != CPU && !known {
		return b.scatterSums(at, d, size, axis)
	}
	for _, l := range gatherLowerings {
		if pays := l.pays[b.options.Device]; b.Err() == nil && pays != nil && pays(at, d, axis) {
			return l.emit(b, at, d, size, axis)
		}
	}
	return nil
}

// gatherLowering is one way to write it.
type gatherLowering struct {
	name string
	pays [devices]func(at, d *onnx.Value, axis int) bool // it can be written, and is the fastest on the device, among those further down; nil: never
	emit func(b *Builder, at, d, size *onnx.Value, axis int) *onnx.Value
}

// gatherLowerings lists them, the one to prefer first. Milliseconds on ONNX Runtime 1.28, one thread, for that many places
// in that tensor, least of three runs (BenchmarkGatherLowerings measures them anew):
//
//	places  in             axis  slices  rows  elements
//	512     [30522 256]    0     37      41    54
//	512     [1024 256]     0     1.13    1.41  3.40
//	512     [32 256]       0     0.07    0.07  0.87
//	512     [2 256]        0     0.05    0.06  0.94
//	4096    [128 32]       0     0.07    0.09  0.98
//	4096    [1000 1]       0     0.04    0.06  0.02
//	32      [64 32 64]     1             0.47  1.39
//	64      [512 64]       1             0.30  0.16
//	64      [8 16 64 64]   3             6.2   4.7
//
// Microseconds on an NVIDIA H100 80GB HBM3 by the CUDA provider of ONNX Runtime 1.31.1; the least
// that any small graph takes is 40. There adding element by element wins nearly everywhere.
//
//	places  in             axis  slices  rows  elements
//	512     [30522 256]    0     167     188   71
//	512     [1024 256]     0     146     165   60
//	512     [32 256]       0     127     148   53
//	512     [2 256]        0     198     209   63
//	4096    [128 32]       0     70      75    55
//	4096    [1000 1]       0     50      83    45
//	32      [64 32 64]     1             94    55
//	4       [512 64]       1             65    89
//	64      [512 64]       1             86    54
//	64      [8 16 64 64]   3             87    59
//
// The product by a matrix with a 1 for each place takes as long as slices for two rows, three times as long for 32, and more
// from there; slices of a transposed tensor take half as long again as rows. Neither is kept. pad is for places that are
// consecutive constants, such as the first token of a sequence.
var gatherLowerings = []gatherLowering{
	//            CPU        CUDA
	{"pad", places{inARow, inARow}, (*Builder).scatterByPad},
	{"elements", places{alongLast, anywhere}, (*Builder).scatterElements},
	{"slices", places{alongFirst, nil}, (*Builder).scatterSlices},
	{"rows", places{anywhere, nil}, (*Builder).scatterRows},
}

// places is a predicate for each device.
type places = [devices]func(at, d *onnx.Value, axis int) bool

func inARow(at, _ *onnx.Value, _ int) bool { _, ok := consecutive(at); return ok }

func alongLast(_, d *onnx.Value, axis int) bool { return axis == len(d.Type.Shape)-1 }

func alongFirst(_, _ *onnx.Value, axis int) bool { return axis == 0 }

func anywhere(_, _ *onnx.Value, _ int) bool { return true }

// consecutive gives the first of places that are known, rise by one and do not cross the end.
func consecutive(at *onnx.Value) (first int64, ok bool) {
	places, ok := op.ConstantInts(at)
	if !ok || len(places) == 0 {
		return 0, false
	}
	for i, p := range places {
		if p != places[0]+int64(i) || (p < 0) != (places[0] < 0) {
			return 0, false
		}
	}
	return places[0], true
}

// scatterByPad puts zeros before and behind d: the places are consecutive.
func (b *Builder) scatterByPad(at, d, size *onnx.Value, axis int) *onnx.Value {
	first, _ := consecutive(at)
	before := b.Ints(first)
	if first < 0 {
		before = b.folded(b.Add(size, before))
	}
	return b.padTo(d, before, size, axis)
}

// padTo puts zeros before d along some axes, as many as the vector before says, and behind it up to the sizes of another.
func (b *Builder) padTo(d, before, sizes *onnx.Value, axes ...int) *onnx.Value {
	if b.Err() != nil || len(axes) == 0 {
		return d
	}
	own := make([]*onnx.Value, len(axes))
	for i, a := range axes {
		own[i] = b.size(d, a)
	}
	return b.padBy(d, before, b.folded(b.Sub(sizes, b.folded(b.Add(before, b.join(own...))))), axes...)
}

// padBy puts zeros before and behind d along some axes, as many as two vectors say; negative numbers cut.
func (b *Builder) padBy(d, before, behind *onnx.Value, axes ...int) *onnx.Value {
	if b.Err() != nil {
		return nil
	}
	pads := b.join(before, behind)
	list, known := op.ConstantInts(pads)
	if known && slices.Max(list) == 0 && slices.Min(list) == 0 {
		return d
	}
	rank := len(d.Type.Shape)
	if known {
		full := make([]int64, 2*rank)
		for i, a := range axes {
			full[a], full[rank+a] = list[i], list[len(axes)+i]
		}
		return b.Pad(d, "constant", full...)
	}
	over := make([]int64, len(axes))
	for i, a := range axes {
		over[i] = int64(a)
	}
	return b.Node("Pad", []*onnx.Value{d, pads, nil, b.Ints(over...)}, 1)[0]
}

// scatterSlices adds slices of the first axis.
func (b *Builder) scatterSlices(at, d, size *onnx.Value, axis int) *onnx.Value {
	return b.ScatterND(b.fill(d, 0, b.shapeWith(d, axis, size)), b.Unsqueeze(at, 1), d, "add")
}

// scatterRows adds rows of a matrix: the axes before and the axis become one, for which the places are numbered through.
func (b *Builder) scatterRows(at, d, size *onnx.Value, axis int) *onnx.Value {
	if b.Err() != nil {
		return nil
	}
	before := b.folded(b.Node("ReduceProd", []*onnx.Value{b.join(b.extent(d, 0, axis), b.Ints(1))}, 1)[0])
	behind := b.extent(d, axis+1, len(d.Type.Shape))
	at = b.Where(b.Less(at, b.Ints(0)), b.Add(at, size), at)
	starts := b.Unsqueeze(b.Mul(b.iota(before), size), 1)
	places := b.Reshape(b.Add(starts, b.Unsqueeze(at, 0)), -1, 1)
	updates := b.reshapeTo(d, b.join(b.folded(b.Mul(before, b.size(at, 0))), behind))
	rows := b.fill(d, 0, b.join(b.folded(b.Mul(before, size)), behind))
	return b.reshapeTo(b.ScatterND(rows, places, updates, "add"), b.shapeWith(d, axis, size))
}

// scatterSums adds up the entries of each place by a product, and writes the sum once for each of them: nothing depends on the order of
// writing, as it does where a device adds. n places take n² numbers and, for entries of m, n² m multiplications.
func (b *Builder) scatterSums(at, d, size *onnx.Value, axis int) *onnx.Value {
	if b.Err() != nil {
		return nil
	}
	rank := len(d.Type.Shape)
	front := []int64{int64(axis)} // the axis first, and where it was before
	back := make([]int64, rank)
	for a := range rank {
		if a != axis {
			front = append(front, int64(a))
		}
	}
	for i, a := range front {
		back[a] = int64(i)
	}
	if axis > 0 {
		d = b.Transpose(d, front...)
	}
	at = b.Where(b.Less(at, b.Ints(0)), b.Add(at, size), at)
	same := b.Cast(b.Equal(b.Unsqueeze(at, 1), b.Unsqueeze(at, 0)), d.Type.DType)
	sums := b.MatMul(same, b.reshapeTo(d, b.join(b.size(d, 0), b.Ints(-1))))
	sums = b.Gather(sums, b.ArgMax(same, 1, false), 0) // to the bit the same for one place
	sums = b.reshapeTo(sums, b.shapeOf(d))
	dx := b.ScatterND(b.fill(d, 0, b.shapeWith(d, 0, size)), b.Unsqueeze(at, 1), sums, "none")
	if axis > 0 {
		dx = b.Transpose(dx, back...)
	}
	return dx
}

// scatterElements adds element by element.
func (b *Builder) scatterElements(at, d, size *onnx.Value, axis int) *onnx.Value {
	if b.Err() != nil {
		return nil
	}
	column := make([]int64, len(d.Type.Shape))
	for i := range column {
		column[i] = 1
	}
	column[axis] = -1
	at = b.Expand(b.Reshape(at, column...), b.shapeOf(d))
	return b.ScatterElements(b.fill(d, 0, b.shapeWith(d, axis, size)), at, d, int64(axis), "add")
}
