package export

import (
	"context"
	"slices"

	"graft/onnx"
	"graft/onnx/precision"
)

// mostTrials bounds how many candidates are run to find which nodes of inner graphs lose too much.
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

// tryInner keeps all noted nodes and then converts as many again, but those that are delicate, as a share of the tolerance allows, by halves: what costs too much is cut
// in two, and each half tried by itself. It gives how many stay.
func (s *narrowing) tryInner(ctx context.Context) (int, error) {
	list, trials := s.inner, 0
	s.inner = nil
	for _, key := range list {
		s.plan.Keep[key] = "loses too much together with its neighbours"
	}
	costs := func() (float64, error) {
		trials++
		m, _, err := s.convert()
		if err != nil {
			return 0, err
		}
		_, worst, _, err := s.judge(ctx, m)
		return worst, err
	}
	if worst, err := costs(); err != nil || worst > s.Tolerance {
		return len(list), err // it is not they alone
	}
	kept := len(list)
	var try func(part []string) error
	try = func(part []string) error {
		if trials >= mostTrials || len(part) == 0 {
			return nil
		}
		for _, key := range part {
			delete(s.plan.Keep, key)
		}
		worst, err := costs()
		if err != nil || worst <= s.Tolerance*share {
			kept -= len(part)
			return err
		}
		for _, key := range part {
			s.plan.Keep[key] = "loses too much together with its neighbours"
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
