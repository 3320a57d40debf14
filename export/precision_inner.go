package export

import (
	"context"
	"slices"

	"graft/onnx"
	"graft/onnx/precision"
)

// mostTrials bounds how many candidates are run to find which nodes lose too much.
const mostTrials = 64

// share is how much of the tolerance conversions that are chosen by trial may use up: what just passes on the given inputs does not
// pass on others.
const share = 0.5

// addInner notes the nodes of the graphs inside n: their values cannot be looked at from outside.
func (s *narrowing) addInner(n *onnx.Node) {
	for _, sub := range n.Subgraphs() {
		eachGraph(sub, 0, func(g *onnx.Graph) {
			for _, in := range g.Nodes() {
				if key := precision.Key(in); key != "" && s.plan.Keep[key] == "" && !in.Is("Constant") {
					s.inner = append(s.inner, key)
					if precision.Delicate(in) {
						s.delicate[key] = true
					}
				}
			}
		})
	}
}

const together = "loses too much together with its neighbours"

// tryInner keeps all noted nodes, with inputs and outputs where the rounding of these alone costs too much, and tries which of them
// the tolerance allows to convert. It gives how many stay.
func (s *narrowing) tryInner(ctx context.Context) (int, error) {
	list := s.inner
	s.inner = nil
	s.whole = true
	defer func() { s.whole = false }()
	for _, key := range list {
		s.plan.Keep[key] = together
	}
	worst, err := s.costs(ctx)
	if err == nil && worst > s.Tolerance*share && !s.plan.KeepIO {
		s.plan.KeepIO = true
		worst, err = s.costs(ctx)
	}
	if err != nil || worst > s.Tolerance {
		return len(list), err // it is not they alone
	}
	return s.tryParts(ctx, list)
}

// tryAll does so with the nodes of the outermost graph, whatever blame has found, with inputs and outputs in float32 where
// their rounding alone costs too much, and with the weights of nodes that stay stored in the type where that costs little.
func (s *narrowing) tryAll(ctx context.Context) (int, error) {
	s.tried = true
	var list []string
	for _, n := range s.base.Graph.Nodes() {
		key := precision.Key(n)
		if n.Is("Constant") || s.plan.Keep[key] != "" && !s.blamed[key] || !slices.ContainsFunc(slices.Concat(n.Inputs(), n.Outputs()), floating) {
			continue
		}
		list = append(list, key)
		s.plan.Keep[key] = together
		if precision.Delicate(n) {
			s.delicate[key] = true
		}
	}
	worst, err := s.costs(ctx)
	if err == nil && worst > s.Tolerance*share && !s.plan.KeepIO {
		s.plan.KeepIO = true
		if s.Say != nil {
			s.Say("the rounding of inputs and outputs alone costs %.3g: they stay in float32", worst)
		}
		worst, err = s.costs(ctx)
	}
	if err != nil || worst > s.Tolerance*share {
		return len(list), err
	}
	s.plan.Thin = true
	if worst, err = s.costs(ctx); err != nil || worst > s.Tolerance*share {
		s.plan.Thin = false
		if err != nil {
			return len(list), err
		}
	}
	if s.Say != nil {
		s.Say("the rounding of weights alone costs %.3g", worst)
	}
	return s.tryParts(ctx, list)
}

// costs is what the plan as it is loses, with each value rounded; of graphs inside nodes, whose values are not, as they run too.
func (s *narrowing) costs(ctx context.Context) (float64, error) {
	m, _, err := s.convert()
	if err != nil {
		return 0, err
	}
	if s.whole {
		_, worst, _, err := s.judge(ctx, m)
		return worst, err
	}
	if s.To != onnx.Float {
		if m, err = precision.Simulate(m, s.To); err != nil {
			return 0, err
		}
	}
	worst, _, err := s.outputs(ctx, m)
	return worst, err
}

// tryParts converts as many of the nodes, which all are kept, as a share of the tolerance allows, but those that are delicate, by
// halves: what costs too much is cut in two, and each half tried by itself. It gives how many stay.
func (s *narrowing) tryParts(ctx context.Context, list []string) (int, error) {
	kept, trials := len(list), 0
	var try func(part []string) error
	try = func(part []string) error {
		if trials >= mostTrials || len(part) == 0 {
			return nil
		}
		trials++
		for _, key := range part {
			delete(s.plan.Keep, key)
		}
		worst, err := s.costs(ctx)
		if err != nil || worst <= s.Tolerance*share {
			kept -= len(part)
			return err
		}
		for _, key := range part {
			s.plan.Keep[key] = together
		}
		if len(part) == 1 {
			return nil
		}
		if err := try(part[:len(part)/2]); err != nil {
			return err
		}
		return try(part[len(part)/2:])
	}
	tried := slices.DeleteFunc(slices.Clone(list), func(key string) bool { return s.delicate[key] })
	return kept, try(tried)
}
