package export

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"graft/onnx"
	"graft/onnx/op"
	"graft/onnx/precision"
	"graft/runtime"
)

// Narrowing brings a model into another floating-point type. What must stay in float32 follows from runs of the model: what
// makes or reads a value that the type cannot hold, and, while an output differs by more than the tolerance, the nodes
// whose results lose most.
type Narrowing struct {
	To        onnx.DataType // Float16, BFloat16 or Float
	KeepIO    bool          // inputs and outputs stay as they are
	Delicate  bool          // sums, norms and exponentials stay in float32 whatever the runs say
	Tolerance float64       // largest max|a-b| / max|a| of an output
	Feeds     []map[string]*onnx.Tensor
	Options   runtime.Options
	Say       func(format string, a ...any) // may be nil
}

// Narrowed is a model in another floating-point type.
type Narrowed struct {
	Model  *onnx.Model
	Report *precision.Report
	MaxRel float64 // the largest max|a-b| / max|a| of a floating-point output; NaN where nothing was run
	MaxAbs float64 // the largest |a-b|
	Rounds int     // runs that it took
}

// OriginalError is that the model to convert does not run itself.
type OriginalError struct{ Err error }

func (e *OriginalError) Error() string { return "run the original: " + e.Err.Error() }

// Unwrap gives the reason.
func (e *OriginalError) Unwrap() error { return e.Err }

// headroom is how much larger than what the runs show a value may become on other inputs.
const headroom = 2

// Apply makes the model; m stays as it is. Without feeds nothing is run, and only constants decide.
func (w Narrowing) Apply(ctx context.Context, m *onnx.Model) (*Narrowed, error) {
	base := m.Clone()
	op.InferModel(base)
	base.Graph.AssignNames()
	if w.To != onnx.Float && hasHalves(base) { // from one 16-bit type to the other, or to the same with other nodes kept
		if _, err := precision.Convert(base, precision.Plan{To: onnx.Float}); err != nil {
			return nil, err
		}
		base.Graph.AssignNames()
	}
	s := &narrowing{Narrowing: w, base: base, plan: precision.Plan{To: w.To, KeepIO: w.KeepIO, Keep: map[string]string{}, Wide: map[string]bool{}}, delicate: map[string]bool{}, blamed: map[string]bool{}}
	if w.Delicate {
		s.keepDelicate(base.Graph)
	}
	if len(w.Feeds) == 0 {
		model, report, err := s.convert()
		if err == nil {
			ForgetInferred(model, m)
		}
		return &Narrowed{Model: model, Report: report, MaxRel: math.NaN(), MaxAbs: math.NaN()}, err
	}
	if err := s.observe(ctx); err != nil {
		return nil, &OriginalError{err}
	}
	for round := 1; ; round++ {
		model, report, err := s.convert()
		if err != nil {
			return nil, err
		}
		runnable, worst, apart, err := s.judge(ctx, model)
		if err != nil {
			return nil, err
		}
		if worst <= w.Tolerance {
			ForgetInferred(model, m)
			return &Narrowed{model, report, worst, apart, round}, nil
		}
		if s.ends {
			return nil, fmt.Errorf("convert: an output differs by %.3g of its largest value with every node in float32", worst)
		}
		if round == blameRounds && !s.tried {
			found, err := s.tryAll(ctx)
			if err != nil {
				return nil, err
			}
			if w.Say != nil {
				w.Say("an output differs by %.3g of its largest value: by trial, %d nodes stay in float32", worst, found)
			}
			continue
		}
		found, err := s.blame(ctx, runnable, round)
		if err != nil {
			return nil, err
		}
		if len(s.inner) > 0 {
			n, err := s.tryInner(ctx)
			if err != nil {
				return nil, err
			}
			found += n
		}
		if w.Say != nil {
			w.Say("an output differs by %.3g of its largest value: %d more nodes stay in float32", worst, found)
		}
	}
}

// blameRounds is the round in which nodes are chosen by trial, for what is lost is not lost in a few.
const blameRounds = 4

// judge runs a candidate and gives what it loses, and the model whose values inside are to be looked at.
// The CPU has few kernels for float16 and none for bfloat16: chains of nodes run in float32 there, and lose less than on
// devices that round each value. These are what counts; that the model itself runs is seen too.
func (s *narrowing) judge(ctx context.Context, m *onnx.Model) (runnable *onnx.Model, relative, absolute float64, err error) {
	runnable = m
	if s.To != onnx.BFloat16 {
		if relative, absolute, err = s.outputs(ctx, m); err != nil {
			return nil, 0, 0, err
		}
	}
	if s.To != onnx.Float {
		if runnable, err = precision.Simulate(m, s.To); err != nil {
			return nil, 0, 0, err
		}
		rounded, most, err := s.outputs(ctx, runnable)
		if err != nil {
			return nil, 0, 0, err
		}
		relative, absolute = max(relative, rounded), max(absolute, most)
	}
	return runnable, relative, absolute, nil
}

// hasHalves reports whether a value of the outermost graph is of a 16-bit floating-point type.
func hasHalves(m *onnx.Model) bool {
	for _, list := range [][]*onnx.Value{m.Graph.Inputs(), m.Graph.Initializers(), m.Graph.Outputs()} {
		for _, v := range list {
			if d := v.Type.DType; d == onnx.Float16 || d == onnx.BFloat16 {
				return true
			}
		}
	}
	return false
}

type narrowing struct {
	Narrowing
	base     *onnx.Model
	plan     precision.Plan
	wanted   []map[string]*onnx.Tensor // the original's outputs, by feed
	exposed  []string                  // floating-point values inside
	inner    []string                  // nodes, by Key, of graphs inside nodes that lose too much
	delicate map[string]bool           // nodes that are not tried
	blamed   map[string]bool           // nodes that stay because of blame alone
	tried    bool                      // tryAll has been
	whole    bool                      // candidates are run as they are, too
	ends     bool                      // inputs and outputs stay, too
}

func (s *narrowing) keepDelicate(g *onnx.Graph) {
	for _, n := range g.Nodes() {
		if precision.Delicate(n) {
			s.plan.Keep[precision.Key(n)] = "sums or spans many magnitudes"
		}
		for _, sub := range n.Subgraphs() {
			s.keepDelicate(sub)
		}
	}
}

func (s *narrowing) convert() (*onnx.Model, *precision.Report, error) {
	m := s.base.Clone()
	report, err := precision.Convert(m, s.plan)
	if err != nil {
		return nil, nil, err
	}
	m.Graph.AssignNames()
	return m, report, nil
}

// observe runs the original: its outputs are what counts, and the values inside say what does not fit.
func (s *narrowing) observe(ctx context.Context) error {
	largest := map[string]float64{}
	g := s.base.Graph
	for _, n := range g.Nodes() {
		if n.Is("Constant") {
			continue
		}
		for _, o := range n.Outputs() {
			if floating(o) && !g.IsOutput(o) {
				s.exposed = append(s.exposed, o.Name)
			}
		}
	}
	err := s.each(ctx, s.base, nil, func(_ int, got map[string]*onnx.Tensor) {
		s.wanted = append(s.wanted, got)
		measure(largest, got)
	})
	if err == nil {
		err = s.inside(ctx, s.base, func(_ int, got map[string]*onnx.Tensor) { measure(largest, got) })
	}
	if err != nil {
		return err
	}
	for _, feeds := range s.Feeds {
		measure(largest, feeds)
	}
	if s.To == onnx.Float {
		return nil
	}
	for name, v := range largest {
		if v*headroom > precision.Largest(s.To) {
			s.plan.Wide[name] = true
		}
	}
	return nil
}

func floating(v *onnx.Value) bool {
	return v != nil && v.Name != "" && v.IsTensor() && (v.Type.DType == onnx.Float || v.Type.DType == onnx.Float16 || v.Type.DType == onnx.BFloat16)
}

// measure notes the largest finite magnitude of each floating-point tensor.
func measure(largest map[string]float64, tensors map[string]*onnx.Tensor) {
	for name, t := range tensors {
		if !t.DType.IsFloat() {
			continue
		}
		values, _ := t.Reals()
		for _, v := range values {
			if v = math.Abs(v); v > largest[name] && !math.IsInf(v, 0) {
				largest[name] = v
			}
		}
	}
}

// each runs a model on all feeds; outputs are the names wanted, nil: its floating-point outputs.
func (s *narrowing) each(ctx context.Context, m *onnx.Model, outputs []string, take func(feed int, got map[string]*onnx.Tensor)) error {
	session, err := runtime.OpenModel(m, s.Options)
	if err != nil {
		return err
	}
	defer session.Close()
	return s.run(ctx, m, session, outputs, take)
}

func (s *narrowing) run(ctx context.Context, m *onnx.Model, session *runtime.Session, outputs []string, take func(feed int, got map[string]*onnx.Tensor)) error {
	if outputs == nil {
		for _, p := range session.Outputs() {
			if p.Type.DType.IsFloat() {
				outputs = append(outputs, p.Name)
			}
		}
	}
	for i, feeds := range s.Feeds {
		if len(outputs) == 0 {
			take(i, map[string]*onnx.Tensor{})
			continue
		}
		got, err := session.Run(ctx, CastFeeds(m.Graph, feeds), outputs...)
		if err != nil {
			return err
		}
		take(i, got)
	}
	return nil
}

// valuesAtOnce bounds how many values inside a model are held at a time.
const valuesAtOnce = 128

// inside runs a model with the exposed values as outputs, some at a time.
func (s *narrowing) inside(ctx context.Context, m *onnx.Model, take func(feed int, got map[string]*onnx.Tensor)) error {
	open := m.Clone()
	var names []string
	for _, name := range s.exposed {
		if v := open.Graph.Lookup(name); floating(v) && v.Producer() != nil && !open.Graph.IsOutput(v) {
			open.Graph.AddOutput(v, "")
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return nil
	}
	session, err := runtime.OpenModel(open, s.Options)
	if err != nil {
		return err
	}
	defer session.Close()
	for group := range slices.Chunk(names, valuesAtOnce) {
		if err := s.run(ctx, open, session, group, take); err != nil {
			return err
		}
	}
	return nil
}

// outputs runs a candidate and gives the largest relative difference of an output, and the largest absolute one.
func (s *narrowing) outputs(ctx context.Context, m *onnx.Model) (relative, absolute float64, err error) {
	err = s.each(ctx, m, nil, func(i int, got map[string]*onnx.Tensor) {
		for _, d := range runtime.Compare(s.wanted[i], got, runtime.Tolerance{}).Outputs {
			relative, absolute = max(relative, float64(d.MaxRel)), max(absolute, float64(d.MaxAbs))
		}
	})
	if err != nil {
		return 0, 0, fmt.Errorf("run the converted model: %w", err)
	}
	return relative, absolute, nil
}

// blame finds the nodes of a candidate whose results lose most beyond what their inputs have lost, and keeps them, more in
// each round. It gives how many.
func (s *narrowing) blame(ctx context.Context, m *onnx.Model, round int) (int, error) {
	reference := make([]map[string]*onnx.Tensor, len(s.Feeds))
	for i := range reference {
		reference[i] = map[string]*onnx.Tensor{}
	}
	if err := s.inside(ctx, s.base, func(i int, got map[string]*onnx.Tensor) {
		for name, t := range got {
			reference[i][name] = t
		}
	}); err != nil {
		return 0, err
	}
	lost := map[string]float64{}
	note := func(i int, want, got map[string]*onnx.Tensor) {
		for name, t := range got {
			if w := want[name]; w != nil {
				d := runtime.Compare(map[string]*onnx.Tensor{name: w}, map[string]*onnx.Tensor{name: t}, runtime.Tolerance{})
				lost[name] = max(lost[name], float64(d.Outputs[0].MaxRel))
			}
		}
	}
	if err := s.inside(ctx, m, func(i int, got map[string]*onnx.Tensor) { note(i, reference[i], got) }); err != nil {
		return 0, err
	}
	if err := s.each(ctx, m, nil, func(i int, got map[string]*onnx.Tensor) { note(i, s.wanted[i], got) }); err != nil {
		return 0, err
	}
	type suspect struct {
		node *onnx.Node
		key  string
		loss float64
	}
	var list []suspect
	for _, n := range s.base.Graph.Nodes() {
		key := precision.Key(n)
		if n.Is("Constant") || s.plan.Keep[key] != "" || !slices.ContainsFunc(slices.Concat(n.Inputs(), n.Outputs()), floating) {
			continue
		}
		in, out := 0.0, 0.0
		for _, v := range n.Inputs() {
			if v != nil {
				in = max(in, lost[v.Name])
			}
		}
		for _, o := range n.Outputs() {
			if o != nil {
				out = max(out, lost[o.Name])
			}
		}
		if math.IsInf(in, 0) {
			out = 0 // it goes wrong before
		}
		list = append(list, suspect{n, key, out - in})
	}
	slices.SortStableFunc(list, func(a, b suspect) int { return cmp.Compare(b.loss, a.loss) })
	take := min(len(list), max(1, len(list)>>max(0, 6-round)))
	for _, n := range list[:take] {
		s.plan.Keep[n.key] = fmt.Sprintf("loses %.2g of its largest value", n.loss)
		s.blamed[n.key] = true
		s.addInner(n.node)
		if n.loss <= s.Tolerance {
			continue
		}
		for _, v := range n.node.Inputs() { // what it loses may be digits that its operands have lost already
			if floating(v) && v.Producer() != nil && !v.Producer().Is("Constant") && s.plan.Keep[precision.Key(v.Producer())] == "" {
				s.blamed[precision.Key(v.Producer())] = true
				s.plan.Keep[precision.Key(v.Producer())] = fmt.Sprintf("%s loses %.2g of its largest value", n.key, n.loss)
			}
		}
	}
	if take == 0 { // what is left goes lost in the inputs and outputs themselves
		for _, v := range slices.Concat(s.base.Graph.Inputs(), s.base.Graph.Outputs()) {
			s.plan.Wide[v.Name] = true
		}
		s.ends = true
	}
	return take, nil
}

// CastFeeds gives feeds in the floating-point types that a graph's inputs have, those that it has.
func CastFeeds(g *onnx.Graph, feeds map[string]*onnx.Tensor) map[string]*onnx.Tensor {
	out := map[string]*onnx.Tensor{}
	for _, v := range g.Inputs() {
		t := feeds[v.Name]
		if t == nil {
			continue
		}
		if d := v.Type.DType; d != t.DType && narrowable(d) && narrowable(t.DType) {
			t = precision.Round(t, d)
		}
		out[v.Name] = t
	}
	return out
}

func narrowable(d onnx.DataType) bool {
	return d == onnx.Float || d == onnx.Float16 || d == onnx.BFloat16
}

// LargestDifference runs two models on the same inputs, each in the types that it takes, and gives the largest
// max|a-b| / max|a| and the largest |a-b| of a floating-point output.
func LargestDifference(ctx context.Context, original, converted *onnx.Model, feeds []map[string]*onnx.Tensor, o runtime.Options) (relative, absolute float64, err error) {
	s := &narrowing{Narrowing: Narrowing{Feeds: feeds, Options: o}}
	if err := s.each(ctx, original, nil, func(_ int, got map[string]*onnx.Tensor) { s.wanted = append(s.wanted, got) }); err != nil {
		return 0, 0, &OriginalError{err}
	}
	return s.outputs(ctx, converted)
}
