package masking

import (
	"fmt"
	"slices"

	"graft/onnx"
	"graft/onnx/limits"
	"graft/onnx/op"
)

// Gates are numbers of which each multiplies many weights of a network: all that read a channel, or a kernel. Learned as a mask they
// take parts of the network away and not single weights.
type Gates struct {
	Blocks []GateBlock
	names  []string // the parameters, in their order
	dims   [][]int64
	groups []*Group // of the blocks; nil: they are of kernels
	total  int      // gates
}

// GateBlock is the gates of one group of channels, or those of one convolution's kernels.
type GateBlock struct {
	Name  string
	Count int
	first int
}

// ChannelGates has one gate for each channel of the groups. It multiplies the weights that read the channel: norms between its
// filters and those would undo it there. The parameters are those of the network, in the order that Expand and Set have.
func ChannelGates(parameters []*onnx.Value, groups []*Group) (*Gates, error) {
	g, err := newGates(parameters)
	if err != nil {
		return nil, err
	}
	for i, of := range groups {
		g.groups = append(g.groups, of)
		g.add(fmt.Sprintf("%s.%d", of.Name, i), of.Count)
	}
	if g.total == 0 {
		return nil, fmt.Errorf("gate channels: the network has none that can go: every one is handed out or meets an operator without a rule")
	}
	return g, nil
}

// KernelGates has one gate for each kernel of each convolution: what makes one output channel of one input channel. Other
// parameters have none.
func KernelGates(parameters []*onnx.Value) (*Gates, error) {
	g, err := newGates(parameters)
	if err != nil {
		return nil, err
	}
	for _, v := range parameters {
		if hasKernels(v) {
			g.add(v.Name, int(v.Const.Dims[0]*v.Const.Dims[1]))
		}
	}
	if g.total == 0 {
		return nil, fmt.Errorf("gate kernels: the network has no convolution")
	}
	return g, nil
}

func hasKernels(v *onnx.Value) bool {
	output, input := op.WeightAxes(v)
	return len(v.Const.Dims) > 2 && output >= 0 && output < 2 && input >= 0 && input < 2 && v.Const.Len() > 0
}

func newGates(parameters []*onnx.Value) (*Gates, error) {
	g := &Gates{}
	for _, v := range parameters {
		if v.Const == nil {
			return nil, fmt.Errorf("gate %s: it has no tensor of its own", limits.Name(v.Name))
		}
		g.names, g.dims = append(g.names, v.Name), append(g.dims, slices.Clone(v.Const.Dims))
	}
	return g, nil
}

func (g *Gates) add(name string, n int) {
	g.Blocks = append(g.Blocks, GateBlock{name, n, g.total})
	g.total += n
}

// Len is the number of gates, those of the blocks behind each other.
func (g *Gates) Len() int { return g.total }

// Expand adds nodes that give for every weight, packed in the order of the parameters, what its gate is: one where it has none.
func (g *Gates) Expand(b *op.Builder, gates *onnx.Value) *onnx.Value {
	one := b.Const(onnx.FromSlice([]float32{1}, 1))
	var parts []*onnx.Value
	ungated := int64(0)
	flush := func() {
		if ungated > 0 {
			parts = append(parts, b.Expand(one, b.Ints(ungated)))
			ungated = 0
		}
	}
	withOne := b.Concat(0, gates, one) // what no gate is of reads the last
	for i := range g.names {
		n, _ := onnx.ElementCount(g.dims[i])
		few := g.few(b, i, gates, withOne)
		if few == nil {
			ungated += n
			continue
		}
		flush()
		parts = append(parts, b.Reshape(b.Expand(few, b.Ints(g.dims[i]...)), -1))
	}
	flush()
	if len(parts) == 1 {
		return parts[0]
	}
	return b.Concat(0, parts...)
}

// few gives the gates of a parameter in a shape that expands to its own; nil where it has none.
func (g *Gates) few(b *op.Builder, i int, gates, withOne *onnx.Value) *onnx.Value {
	shape := slices.Repeat([]int64{1}, len(g.dims[i]))
	if g.groups == nil {
		for _, block := range g.Blocks {
			if block.Name == g.names[i] {
				copy(shape, g.dims[i][:2])
				return b.Reshape(b.Slice(gates, op.SliceSpec{Axis: 0, Start: int64(block.first), End: int64(block.first + block.Count)}), shape...)
			}
		}
		return nil
	}
	axis, index := g.readers(g.names[i], g.dims[i])
	if axis < 0 {
		return nil
	}
	shape[axis] = g.dims[i][axis]
	return b.Reshape(b.Gather(withOne, b.Ints(index...), 0), shape...)
}

// readers gives the axis of a parameter along which it reads channels that have gates, and the gate of each position there: the number
// of gates for none. axis is -1 where it reads no such channel.
func (g *Gates) readers(name string, dims []int64) (axis int, index []int64) {
	axis = -1
	for k, group := range g.groups {
		for _, m := range group.Members {
			if m.Parameter != name || m.Role != Reader {
				continue
			}
			if axis < 0 {
				axis, index = m.Axis, slices.Repeat([]int64{int64(g.total)}, int(dims[m.Axis]))
			}
			for channel, at := range m.At {
				for _, position := range at {
					index[position] = int64(g.Blocks[k].first + channel)
				}
			}
		}
	}
	return axis, index
}

// Scores are those of the gates by block.
func (g *Gates) Scores(flat []float32) ([][]float32, error) {
	if len(flat) != g.total {
		return nil, fmt.Errorf("%d scores for %d gates", len(flat), g.total)
	}
	out := make([][]float32, len(g.Blocks))
	for i, block := range g.Blocks {
		out[i] = flat[block.first:][:block.Count]
	}
	return out, nil
}

// Choose keeps the channels, or kernels, whose gates score highest: channels as ChannelChoice has it, kernels KeepCount of all, or of
// each convolution's where the scope is not Global.
func (g *Gates) Choose(flat []float32, c ChannelChoice) (*Set, error) {
	scores, err := g.Scores(flat)
	if err != nil {
		return nil, err
	}
	if g.groups != nil {
		keep, err := c.Select(g.groups, scores)
		if err != nil {
			return nil, err
		}
		return ChannelSet(g.names, g.dims, g.groups, keep)
	}
	lengths := make([]int, len(scores))
	for i, s := range scores {
		lengths[i] = len(s)
	}
	var keep [][]bool
	if c.Scope == Global {
		keep = largest(lengths, func(i int) []float32 { return scores[i] }, KeepCount(int64(g.total), c.Sparsity), c.Seed)
	} else {
		for _, s := range scores {
			keep = append(keep, best(s, c.Sparsity, c.Seed))
		}
	}
	return g.kernelSet(keep)
}

// kernelSet is the masks that clear the kernels that are not kept.
func (g *Gates) kernelSet(keep [][]bool) (*Set, error) {
	set, err := ChannelSet(g.names, g.dims, nil, nil)
	if err != nil {
		return nil, err
	}
	for i, block := range g.Blocks {
		mask := set.Get(block.Name)
		taps := len(mask.Keep) / block.Count
		for k, stays := range keep[i] {
			for e := range taps {
				mask.Keep[k*taps+e] = stays
			}
		}
	}
	return set, nil
}
