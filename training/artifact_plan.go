package training

import (
	"errors"
	"fmt"
	"regexp"
	"slices"

	"graft/onnx"
	"graft/onnx/limits"
)

// plan is what the forms of one set of artifacts have in common.
type plan struct {
	ArtifactConfig
	base    *onnx.Model   // weights as initializers; parameters and buffers are among them
	params  []*onnx.Value // of base, in the file's order
	buffers []*onnx.Value // running statistics, and what the loss is scaled by
	frozen  []*onnx.Value // parameters that stay as they are
	packing *Packing

	output      string
	outputIndex int
	behind      bool   // the output is a Softmax or the like, that the training form is without
	target      string // empty: the loss compares with nothing
	targetType  onnx.TensorType
	lossModel   *lossModel // of a loss that is a model
	teacher     *teacher   // nil: none
	notes       []string
	masks       []DropoutMask   // of the training forms
	names       map[string]bool // of inputs and outputs that the forms add
}

func newPlan(m *onnx.Model, c ArtifactConfig) (*plan, error) {
	if m.Graph == nil {
		return nil, errors.New("the model has no graph")
	}
	switch {
	case c.Accumulate < 0:
		return nil, fmt.Errorf("accumulate %d batches: wants 1 or more", c.Accumulate)
	case !(c.EMA >= 0 && c.EMA < 1):
		return nil, fmt.Errorf("moving average with weight %v: wants one in [0, 1)", c.EMA)
	}
	p := &plan{ArtifactConfig: c, base: m.Clone()}
	if err := prepare(p.base); err != nil {
		return nil, err
	}
	p.base.Graph.AssignNames()
	if err := p.chooseOutput(); err != nil {
		return nil, err
	}
	if p.Teacher != nil {
		if err := p.readTeacher(); err != nil {
			return nil, fmt.Errorf("teacher: %w", err)
		}
	}
	if err := p.chooseParameters(); err != nil {
		return nil, err
	}
	if err := p.addLossScale(); err != nil {
		return nil, err
	}
	var err error
	if p.packing, err = NewPacking(p.params); err != nil {
		return nil, err
	}
	return p, p.checkNames()
}

// chooseOutput finds the output that the loss reads, and what it is compared with.
func (p *plan) chooseOutput() error {
	outputs := p.base.Graph.Outputs()
	if len(outputs) == 0 {
		return errors.New("the model has no output")
	}
	if p.Output != "" {
		names := portNames(outputs)
		if p.outputIndex = slices.Index(names, p.Output); p.outputIndex < 0 {
			return &UnknownNameError{What: "output", Name: p.Output, Known: names}
		}
	}
	if p.Loss.Model != nil {
		if err := p.readLossModel(); err != nil {
			return fmt.Errorf("loss %s: %w", p.Loss.Name, err)
		}
		p.output = outputs[p.outputIndex].Name
		return nil
	}
	v := outputs[p.outputIndex]
	p.output = v.Name
	if v.Type.DType != onnx.Float {
		return fmt.Errorf("output %s is %v, a loss reads float", limits.Name(v.Name), v.Type)
	}
	p.target, p.targetType = InputTarget, v.Type
	if p.Loss.Labels {
		p.target = InputLabels
		p.targetType = onnx.TensorType{DType: onnx.Int64}
		if s := v.Type.Shape; len(s) >= 2 {
			axis := p.Loss.ClassAxis(len(s))
			p.targetType.Shape = slices.Concat(s[:axis], s[axis+1:])
		}
	}
	n := behindIdentity(v).Producer()
	if n == nil || !slices.ContainsFunc(p.Loss.Behind, n.Is) {
		return nil
	}
	if n.Op != "Sigmoid" {
		axis := onnx.AttrOr(n, "axis", int64(-1))
		if axis < 0 {
			axis += int64(len(v.Type.Shape))
		}
		if want := int64(p.Loss.ClassAxis(len(v.Type.Shape))); axis != want {
			return fmt.Errorf("output %s is a %s along axis %d, %s wants logits with the classes along axis %d", limits.Name(v.Name), n.Op, axis, p.Loss.Name, want)
		}
	}
	p.behind = true
	p.notes = append(p.notes, fmt.Sprintf("%s of output %s is taken off in the training and fused models: there it gives logits", n.Op, limits.Name(v.Name)))
	return nil
}

// behindIdentity is the value that v passes on.
func behindIdentity(v *onnx.Value) *onnx.Value {
	for v.Producer() != nil && v.Producer().Is("Identity") {
		v = v.Producer().Input(0)
	}
	return v
}

// chooseParameters sorts the float initializers into buffers, trained and frozen parameters.
func (p *plan) chooseParameters() error {
	g := p.base.Graph
	isBuffer := map[*onnx.Value]bool{}
	for _, n := range g.Nodes() {
		if !n.Is("BatchNormalization") {
			continue
		}
		for i := 3; i < 5; i++ {
			if v := n.Input(i); v != nil && v.Const != nil && v.Const.DType == onnx.Float && !isBuffer[v] {
				isBuffer[v] = true
				p.buffers = append(p.buffers, v)
			}
		}
	}
	var names []string
	for _, v := range Parameters(g) {
		if !isBuffer[v] {
			names = append(names, v.Name)
		}
	}
	for _, r := range []*regexp.Regexp{p.Train, p.Freeze} {
		if r != nil && len(names) > 0 && !slices.ContainsFunc(names, r.MatchString) {
			return &UnknownNameError{What: "parameter", Name: r.String(), Pattern: true, Known: names}
		}
	}
	groups, resting := groupScales(g), []string(nil)
	for _, v := range Parameters(g) {
		switch {
		case isBuffer[v]:
			continue
		case groups[v] && p.Train == nil: // who names them gets them
			p.frozen = append(p.frozen, v)
			resting = append(resting, v.Name)
		case matches(p.Train, v.Name, true) && !matches(p.Freeze, v.Name, false):
			p.params = append(p.params, v)
		default:
			p.frozen = append(p.frozen, v)
		}
	}
	if resting != nil {
		p.notes = append(p.notes, fmt.Sprintf("%s stay as they are: the ones and zeros of a GroupNorm, whose own scale and bias stand behind them; --train trains them", limits.Names(resting, 4)))
	}
	switch {
	case len(p.params) > 0:
		return nil
	case len(names) == 0:
		return errors.New("the model has no trainable parameter: it has no float initializer that an operator learns")
	}
	return fmt.Errorf("no trainable parameter is left of %s", limits.Names(names, 8))
}

func matches(r *regexp.Regexp, name string, without bool) bool {
	if r == nil {
		return without
	}
	return r.MatchString(name)
}

// reserved reports whether the forms give that name to an input or output of theirs.
func (p *plan) reserved(name string) bool { return p.names[name] }

// checkNames gathers the names that the forms add and refuses models whose own ports have one of them.
func (p *plan) checkNames() error {
	p.names = map[string]bool{InputLazyReset: true, OutputLoss: true, InputRate: true, InputStep: true,
		packedGradient: true, InputGradientMask: true, packedState: true, packedState + next: true}
	for _, slot := range p.slotNames(true) {
		p.names[packedState+"."+slot], p.names[packedState+"."+slot+next] = true, true
	}
	if p.target != "" {
		p.names[p.target] = true
	}
	taken := map[string]bool{}
	g := p.base.Graph
	for _, v := range slices.Concat(g.Inputs(), g.Outputs(), g.Initializers()) {
		taken[v.Name] = true
	}
	for _, v := range p.params {
		for _, suffix := range []string{gradient, accumulated, accumulatedOut, next} {
			p.names[v.Name+suffix] = true
		}
		for _, slot := range p.slotNames(true) {
			p.names[v.Name+"."+slot], p.names[v.Name+"."+slot+next] = true, true
		}
	}
	for _, v := range p.buffers {
		p.names[v.Name+next] = true
	}
	if p.lossModel != nil {
		for _, v := range p.lossModel.more {
			if p.names[v.Name] {
				return fmt.Errorf("loss %s: its input %s has the name of an input or output of the training artifacts: rename it", p.Loss.Name, limits.Name(v.Name))
			}
			p.names[v.Name] = true
		}
	}
	var both []string
	for name := range p.names {
		if taken[name] {
			both = append(both, name)
		}
	}
	if both != nil {
		slices.Sort(both)
		return fmt.Errorf("the model has inputs, outputs or weights called %s, which the training artifacts need: rename them", limits.Names(both, 5))
	}
	return nil
}

// UnknownNameError is a name, or a pattern of names, that the model has not.
type UnknownNameError struct {
	What    string // "output", "parameter"
	Name    string
	Pattern bool // Name is a regular expression
	Known   []string
}

func (e *UnknownNameError) Error() string {
	if e.Pattern {
		return fmt.Sprintf("no %s matches %s: there are %s", e.What, limits.Name(e.Name), limits.Names(e.Known, 10))
	}
	return fmt.Sprintf("no %s %s: there are %s", e.What, limits.Name(e.Name), limits.Names(e.Known, 10))
}
