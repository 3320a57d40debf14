package autodiff

import (
	"math"
	"slices"

	"graft/onnx"
	"graft/onnx/op"
)

// recomputation trades time for memory: the way from xs to ys is cut into segments, what lies inside a segment is not kept
// until its gradient is made, but computed anew from what enters it, when the gradients of the segments behind it are there.
//
// A runtime merges nodes that compute the same and runs what it can when it can. So what enters a segment goes through a
// Reshape to its own shape first, a shape that is chosen by a comparison of gradients of the segment behind it: no optimizer
// can know the outcome, the result is the same bit for bit, and ONNX Runtime does not copy for it.
type recomputation struct {
	count   int
	segment map[*onnx.Node]int // of the nodes of the trace
	owner   map[*onnx.Node]int // of the nodes of the gradient: the segment that they are the gradient of
	seen    map[*onnx.Node]bool
	current int             // the segment whose gradient is being made
	sinks   [][]*onnx.Value // of a segment each: what its gradient leaves to those before it
}

// newRecomputation cuts the trace into so many segments, each with about as much to keep, where little crosses the cut.
func newRecomputation(t *trace, count int) *recomputation {
	var forward []*onnx.Node
	for _, n := range t.order {
		if t.needed[n] {
			forward = append(forward, n)
		}
	}
	place := map[*onnx.Node]int{}
	for i, n := range forward {
		place[n] = i
	}
	// crossing[i] is what is made before node i and read by it or later ones; made[i] what is made up to it.
	crossing, made := make([]float64, len(forward)+2), make([]float64, len(forward)+1)
	for i, n := range forward {
		made[i+1] = made[i]
		for _, o := range n.Outputs() {
			if o == nil || !t.active[o] {
				continue
			}
			last := i
			for _, u := range o.Uses() {
				if p, ok := place[u.Node]; ok {
					last = max(last, p)
				}
			}
			b := weight(o)
			made[i+1] += b
			crossing[i+1] += b // differences first, sums below
			crossing[last+1] -= b
		}
	}
	for i := range forward {
		crossing[i+1] += crossing[i]
	}
	r := &recomputation{count: count, segment: map[*onnx.Node]int{}, owner: map[*onnx.Node]int{}, seen: map[*onnx.Node]bool{}, sinks: make([][]*onnx.Value, count), current: count - 1}
	for _, n := range t.graph.Nodes() {
		r.seen[n] = true
	}
	total, at := made[len(forward)], 0
	for k := range count {
		end := len(forward)
		if k < count-1 {
			low, high := total*(float64(k)+0.75)/float64(count), total*(float64(k)+1.25)/float64(count)
			end = at
			best := math.Inf(1)
			for i := at; i < len(forward); i++ {
				if made[i] >= low && made[i] <= high && crossing[i] < best {
					end, best = i, crossing[i]
				}
			}
			if math.IsInf(best, 1) { // one value is larger than the range
				for end = at; end < len(forward) && made[end] < total*float64(k+1)/float64(count); {
					end++
				}
			}
		}
		for _, n := range forward[at:end] {
			r.segment[n] = k
		}
		at = end
	}
	return r
}

// weight is the number of bytes of v, sizes that are not known left out.
func weight(v *onnx.Value) float64 {
	w := float64(v.Type.DType.Bits()) / 8
	for _, d := range v.Type.Shape {
		if d.Known() {
			w *= float64(d.Size)
		}
	}
	return w
}

// enter notes that the gradient of n comes next, nil when that is all. The nodes that are new in the graph belong to the
// segment whose gradient ends.
func (r *recomputation) enter(g *onnx.Graph, n *onnx.Node) {
	k := -1
	if n != nil {
		k = r.segment[n]
	}
	if k == r.current {
		return
	}
	for _, m := range g.Nodes() {
		if !r.seen[m] {
			r.seen[m], r.owner[m] = true, r.current
		}
	}
	r.current = k
}

// sink notes that d flows back from n into v, which may lie before n's segment.
func (r *recomputation) sink(n *onnx.Node, v, d *onnx.Value) {
	k := r.segment[n]
	if p := v.Producer(); p == nil || r.segment[p] != k {
		r.sinks[k] = append(r.sinks[k], d)
	}
}

// apply makes the gradient of every segment but the last read values that are computed anew. xs and what follows from them
// alone, as weights do, stay.
func (r *recomputation) apply(b *op.Builder, t *trace, xs []*onnx.Value) {
	heavy := map[*onnx.Value]bool{} // what follows from inputs that are not among xs
	for _, v := range b.Graph().Inputs() {
		heavy[v] = !slices.Contains(xs, v)
	}
	for _, n := range t.order {
		yes := slices.ContainsFunc(t.operands(n), func(v *onnx.Value) bool { return v != nil && heavy[v] })
		for _, o := range n.Outputs() {
			heavy[o] = yes
		}
	}
	for k := r.count - 2; k >= 0; k-- {
		s := &segment{recomputation: r, b: b, k: k, heavy: heavy, anew: map[*onnx.Value]*onnx.Value{}, held: map[*onnx.Value]*onnx.Value{}}
		s.apply(t)
	}
}

// segment is one that is computed anew.
type segment struct {
	*recomputation
	b      *op.Builder
	k      int
	heavy  map[*onnx.Value]bool
	choice *onnx.Value // a Boolean that follows from the gradients of the segments behind
	anew   map[*onnx.Value]*onnx.Value
	held   map[*onnx.Value]*onnx.Value
}

func (s *segment) apply(t *trace) {
	for _, n := range t.order {
		if k, in := s.segment[n]; !in || k != s.k || !repeatable(n) {
			continue
		}
		for _, o := range n.Outputs() {
			if o == nil || !s.heavy[o] || s.crosses(o) {
				continue
			}
			for _, u := range o.Uses() {
				if k, ok := s.owner[u.Node]; ok && k == s.k {
					if v := s.again(o); v != nil {
						u.Node.SetInput(u.Index, v)
					}
				}
			}
		}
	}
}

// crosses reports whether a later segment reads v, or its gradient does: then v is kept anyway.
func (s *segment) crosses(v *onnx.Value) bool {
	if s.b.Graph().IsOutput(v) {
		return true
	}
	return slices.ContainsFunc(v.Uses(), func(u onnx.Use) bool {
		if k, ok := s.segment[u.Node]; ok {
			return k > s.k
		}
		k, ok := s.owner[u.Node]
		return ok && k > s.k
	})
}

// repeatable reports whether n gives the same when it is run again, and is simple enough to copy.
func repeatable(n *onnx.Node) bool {
	if slices.Contains([]string{"RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Bernoulli", "Multinomial", "Dropout"}, n.Op) {
		return false
	}
	return len(n.Subgraphs()) == 0 && !slices.Contains(n.Outputs(), nil)
}

// again is v computed anew, from what enters the segment.
func (s *segment) again(v *onnx.Value) *onnx.Value {
	if !s.heavy[v] {
		return v
	}
	if w := s.anew[v]; w != nil {
		return w
	}
	n := v.Producer()
	if k, in := s.segment[n]; n == nil || !in || k != s.k || !repeatable(n) {
		return s.hold(v)
	}
	inputs := n.Inputs()
	for i, in := range inputs {
		if in != nil {
			inputs[i] = s.again(in)
		}
	}
	if s.b.Err() != nil {
		return nil
	}
	copied := s.b.Graph().Add(n.Op, inputs, n.NumOutputs(), n.Attrs...)
	copied.Domain = n.Domain
	if n.Name != "" {
		copied.Name = n.Name + " again"
	}
	for i, o := range n.Outputs() {
		c := copied.Output(i)
		c.Type = o.Type
		s.anew[o] = c
	}
	return s.anew[v]
}

// hold is v, but not before the gradients of the segments behind are there.
func (s *segment) hold(v *onnx.Value) *onnx.Value {
	if w := s.held[v]; w != nil {
		return w
	}
	if s.choice == nil {
		s.choice = s.choose()
	}
	b := &Builder{Builder: s.b}
	dims := b.shapeOf(v)
	w := s.b.ReshapeTo(v, s.b.Where(s.choice, dims, dims))
	if s.b.Err() != nil {
		return nil
	}
	w.Type = v.Type
	s.held[v] = w
	return w
}

// choose compares one element of each gradient that the next segment behind leaves.
func (s *segment) choose() *onnx.Value {
	var parts []*onnx.Value
	seen := map[*onnx.Value]bool{}
	for k := s.k + 1; k < s.count && parts == nil; k++ {
		for _, d := range s.sinks[k] {
			if seen[d] || d.Producer() == nil || d.Producer().Graph() == nil {
				continue
			}
			seen[d] = true
			first := s.b.Slice(s.b.Reshape(d, -1), op.SliceSpec{End: 1})
			parts = append(parts, s.b.Cast(first, onnx.Float))
		}
	}
	if parts == nil {
		s.b.Fail("no gradient flows back to a segment that is to be computed anew: fewer segments")
		return nil
	}
	sum := s.b.ReduceSum(s.b.Concat(0, parts...), true)
	return s.b.Greater(sum, s.b.Scalar(sum, 0))
}
