package export

import (
	"context"
	"fmt"
	"math"
	"slices"

	"graft/onnx"
	"graft/onnx/quantize"
	"graft/runtime"
)

// Calibration is how the range of a value follows from what runs show.
type Calibration string

// MinMax takes the extremes. Percentile leaves the rest of a percentage out, as many at each end. Entropy takes the range
// whose 8-bit numbers tell least from what was seen: the least Kullback-Leibler divergence.
const (
	MinMax     Calibration = "minmax"
	Percentile Calibration = "percentile"
	Entropy    Calibration = "entropy"
)

// Calibrator measures what the values inside a model range over.
type Calibrator struct {
	Method     Calibration
	Percentile float64 // of the values that a range holds, 99.99 for instance
	Feeds      []map[string]*onnx.Tensor
	Options    runtime.Options
}

// bins is how finely values are counted, over the range that they have.
const bins = 2048

// Ranges runs m on the feeds and gives the ranges of the named values, graph inputs among them. m stays as it is.
func (c Calibrator) Ranges(ctx context.Context, m *onnx.Model, names []string) (map[string]quantize.Range, error) {
	seen := map[string]*spread{}
	if err := c.look(ctx, m, names, func(name string, values []float64) {
		s := seen[name]
		if s == nil {
			s = &spread{low: math.Inf(1), high: math.Inf(-1)}
			seen[name] = s
		}
		for _, v := range values {
			if !math.IsNaN(v) && !math.IsInf(v, 0) {
				s.low, s.high = min(s.low, v), max(s.high, v)
			}
		}
	}); err != nil {
		return nil, err
	}
	if c.Method != MinMax && c.Method != "" {
		if err := c.look(ctx, m, names, func(name string, values []float64) { seen[name].count(values) }); err != nil {
			return nil, err
		}
	}
	ranges := map[string]quantize.Range{}
	for name, s := range seen {
		if s.low > s.high {
			continue // nothing finite was seen
		}
		switch c.Method {
		case Percentile:
			ranges[name] = s.percentile(c.Percentile)
		case Entropy:
			ranges[name] = s.entropy()
		default:
			ranges[name] = quantize.Range{Low: s.low, High: s.high}
		}
	}
	return ranges, nil
}

// look runs m on each feed and hands on the elements of the named values.
func (c Calibrator) look(ctx context.Context, m *onnx.Model, names []string, take func(name string, values []float64)) error {
	open := m.Clone()
	var outputs []string
	for _, name := range names {
		v := open.Graph.Lookup(name)
		if v == nil || v.Producer() == nil {
			continue
		}
		if !open.Graph.IsOutput(v) {
			open.Graph.AddOutput(v, "")
		}
		outputs = append(outputs, name)
	}
	session, err := runtime.OpenModel(open, c.Options)
	if err != nil {
		return &OriginalError{err}
	}
	defer session.Close()
	for _, feeds := range c.Feeds {
		feeds = CastFeeds(open.Graph, feeds)
		for _, name := range names {
			if t := feeds[name]; t != nil && t.DType.IsFloat() {
				values, _ := t.Reals()
				take(name, values)
			}
		}
		if len(outputs) == 0 {
			continue
		}
		got, err := session.Run(ctx, feeds, outputs...)
		if err != nil {
			return &OriginalError{err}
		}
		for _, name := range outputs {
			if values, ok := got[name].Reals(); ok {
				take(name, values)
			}
		}
	}
	return nil
}

// spread is what was seen of a value: its extremes, and how many elements fell into each of bins between them.
type spread struct {
	low, high float64
	counts    []float64
}

func (s *spread) count(values []float64) {
	if s.counts == nil {
		s.counts = make([]float64, bins)
	}
	width := s.high - s.low
	for _, v := range values {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			continue
		}
		i := 0
		if width > 0 {
			i = min(bins-1, int((v-s.low)/width*bins))
		}
		s.counts[i]++
	}
}

// edge is the lower end of a bin.
func (s *spread) edge(bin int) float64 { return s.low + (s.high-s.low)*float64(bin)/bins }

// percentile leaves as many elements out at each end as keep the percentage of them in.
func (s *spread) percentile(percent float64) quantize.Range {
	total := 0.0
	for _, n := range s.counts {
		total += n
	}
	out := total * (1 - percent/100) / 2
	from, to := 0, bins
	for left := out; from < bins-1 && s.counts[from] <= left; from++ {
		left -= s.counts[from]
	}
	for left := out; to > from+1 && s.counts[to-1] <= left; to-- {
		left -= s.counts[to-1]
	}
	return quantize.Range{Low: s.edge(from), High: s.edge(to)}
}

// entropy cuts bins off at either end, the one with fewer elements first, and keeps the cut of the least divergence between
// what was seen, the elements beyond it at its ends, and the same in 256 levels.
func (s *spread) entropy() quantize.Range {
	const levels, stride = 256, 16
	if zero := int(-s.low / max(s.high-s.low, math.SmallestNonzeroFloat64) * bins); zero >= 0 && zero < bins { // what is 0 stays so whatever the range
		s.counts[zero] = (s.counts[max(0, zero-1)] + s.counts[min(bins-1, zero+1)]) / 2
		if zero == 0 {
			s.counts[0] = s.counts[1]
		}
	}
	from, to := 0, bins
	best, chosen := math.Inf(1), quantize.Range{Low: s.low, High: s.high}
	for to-from >= levels {
		if d := divergence(s.counts, from, to, levels); d < best {
			best, chosen = d, quantize.Range{Low: s.edge(from), High: s.edge(to)}
		}
		below, above := sum(s.counts[from:from+stride]), sum(s.counts[to-stride:to])
		if s.low >= 0 || below > above { // zero stays an end of what is never negative
			to -= stride
		} else {
			from += stride
		}
	}
	return chosen
}

func sum(list []float64) (n float64) {
	for _, v := range list {
		n += v
	}
	return n
}

// divergence is the Kullback-Leibler divergence of counts[from:to] in levels from the same with all that lies outside at the ends.
func divergence(counts []float64, from, to, levels int) float64 {
	p := slices.Clone(counts[from:to])
	p[0] += sum(counts[:from])
	p[len(p)-1] += sum(counts[to:])
	total := sum(p)
	inside := sum(counts[from:to])
	if total == 0 || inside == 0 {
		return math.Inf(1)
	}
	q := make([]float64, len(p))
	for l := range levels {
		a, b := l*len(p)/levels, (l+1)*len(p)/levels
		some, n := 0.0, sum(counts[from+a:from+b])
		for i := a; i < b; i++ {
			if p[i] > 0 {
				some++
			}
		}
		for i := a; i < b; i++ {
			if p[i] > 0 {
				q[i] = n / some
			}
		}
	}
	d := 0.0
	const least = 1e-9
	for i := range p {
		if p[i] > 0 {
			d += p[i] / total * math.Log(p[i]/total/max(q[i]/inside, least))
		}
	}
	return d
}

// Samples cuts tensors whose first axis counts samples into feeds of a batch each, at most so many samples.
func Samples(tensors map[string]*onnx.Tensor, batch, most int64) ([]map[string]*onnx.Tensor, error) {
	count := int64(-1)
	for name, t := range tensors {
		if len(t.Dims) == 0 || t.DType.Bits()%8 != 0 || t.DType == onnx.String {
			return nil, fmt.Errorf("samples %q: %v has no first axis to cut", name, t.Type())
		}
		if count >= 0 && t.Dims[0] != count {
			return nil, fmt.Errorf("samples %q: %d of them, %d of others", name, t.Dims[0], count)
		}
		count = t.Dims[0]
	}
	if count < batch {
		return nil, fmt.Errorf("%d samples, the model takes %d at a time", count, batch)
	}
	// Evenly over all: files are often sorted by class.
	groups := count / batch
	take := min(groups, max(1, most/batch))
	var feeds []map[string]*onnx.Tensor
	for i := range take {
		at := i * groups / take * batch
		feed := map[string]*onnx.Tensor{}
		for name, t := range tensors {
			row := int64(len(t.Data)) / count
			part := onnx.NewTensor(t.DType, append([]int64{batch}, t.Dims[1:]...)...)
			part.Name = name
			copy(part.Data, t.Data[at*row:(at+batch)*row])
			feed[name] = part
		}
		feeds = append(feeds, feed)
	}
	return feeds, nil
}
