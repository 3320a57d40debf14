package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"graft/graphs"
	"graft/training"
	"graft/training/momentum"
	"graft/training/pacbayes"
	"graft/training/study"
)

// pacResult is what a cell comes to. A run that diverged is a result too: it has no accuracy.
type pacResult struct {
	*momentum.Scores
	Objective *float64 `json:"pac_objective,omitempty"` // at the end of stage 1, in nats
	KL        *float64 `json:"kl,omitempty"`
	Steps     int64    `json:"steps"`
	Diverged  string   `json:"diverged,omitempty"`
}

// Run does a cell.
func (s *pacStudy) Run(ctx context.Context, c study.Cell, _ string, _ *study.Folder) (any, error) {
	a, ok := s.arm[c.Key()]
	seed, err := seedOfCell(c)
	if !ok || err != nil {
		return nil, fmt.Errorf("cell %s is none of this grid", c)
	}
	var out *pacResult
	if a.method == methodPacBayes {
		out, err = s.bound(ctx, a, seed)
	} else {
		out, err = s.descend(ctx, a, seed)
	}
	if errors.Is(err, training.ErrDiverged) {
		return &pacResult{Diverged: oneLine(err.Error())}, nil
	}
	return out, err
}

// descend trains by an optimizer alone.
func (s *pacStudy) descend(ctx context.Context, a pacArm, seed uint64) (*pacResult, error) {
	p, err := s.problemOf(a, seed)
	if err != nil {
		return nil, err
	}
	config, err := s.plain(a, seed)
	if err != nil {
		return nil, err
	}
	trained, err := p.Train(ctx, config, momentum.Run{Session: s.session()})
	if err != nil {
		return nil, err
	}
	scores, err := trained.Scores(ctx)
	return &pacResult{Scores: scores, Steps: config.Steps}, err
}

// bound trains by PAC-Bayes.
func (s *pacStudy) bound(ctx context.Context, a pacArm, seed uint64) (*pacResult, error) {
	p, err := s.problemOf(a, seed)
	if err != nil {
		return nil, err
	}
	epochs := s.epochs(a)
	posterior, err := (&pacbayes.Problem{Network: p.Network, Data: p.Data, Ordered: p.Ordered}).Train(ctx, pacbayes.Config{Relative: a.rate, PosteriorRate: a.noises, PriorRate: a.noises,
		Epochs1: epochs, Epochs2: stage2Epochs(epochs), Seed: seed}, pacbayes.Run{Session: s.session()})
	if err != nil {
		return nil, err
	}
	out := &pacResult{}
	for _, e := range posterior.Epochs {
		out.Steps = e.Steps
		if e.Stage == 1 {
			out.Objective, out.KL = &e.Objective, &e.KL
		}
	}
	classifier, err := posterior.Gated.NewClassifier(s.session())
	if err != nil {
		return nil, err
	}
	defer classifier.Close()
	train, err := classifier.Score(ctx, posterior.Mean, posterior.Buffers, p.Ordered)
	if err != nil {
		return nil, err
	}
	test, err := classifier.Score(ctx, posterior.Mean, posterior.Buffers, p.Test)
	if err != nil {
		return nil, err
	}
	out.Scores = &momentum.Scores{TrainLoss: train.Loss, TrainAccuracy: *train.Accuracy, TestLoss: &test.Loss, TestAccuracy: test.Accuracy}
	return out, nil
}

// problemOf is the classifier of an arm and a seed.
func (s *pacStudy) problemOf(a pacArm, seed uint64) (*momentum.Problem, error) {
	if a.dropout == 0 {
		return s.problem(s.network, a.batch, seed)
	}
	network, err := graphs.Set(s.network, "dropout", fmt.Sprint(a.dropout))
	if err != nil {
		return nil, err
	}
	return s.problem(network, a.batch, seed)
}

// stepKind is what the time of a step depends on.
type stepKind struct {
	batch int64
	noisy bool // weights have noise, which has to be drawn
}

// Cost times a few steps of each kind. K takes as much as eighty epochs of inference.
func (s *pacStudy) Cost(ctx context.Context, todo []study.Cell) (studyCost, error) {
	each := map[stepKind]float64{}
	return costOf(s.call, todo, func(c study.Cell) (int64, float64, error) {
		a := s.arm[c.Key()]
		kind := stepKind{a.batch, a.method == methodPacBayes || a.sigma > 0}
		if each[kind] == 0 {
			timed := pacArm{method: "adam", batch: a.batch}
			if kind.noisy {
				timed.sigma = 1e-3
			}
			config, err := s.plain(timed, s.seeds[0])
			if err == nil {
				each[kind], err = s.stepTime(ctx, a.batch, config)
			}
			if err != nil {
				return 0, 0, err
			}
		}
		steps := s.epochs(a) * s.perEpoch(a.batch)
		if a.method != methodPacBayes {
			return steps, each[kind] * float64(steps), nil
		}
		steps += steps / 3
		return steps, each[kind] * (float64(steps) + 80./3*float64(s.perEpoch(a.batch))), nil
	})
}

// More are the cells of the finalists: the settings of the grid that are best on the seeds that it was run with, for all seeds.
func (s *pacStudy) More(done []*study.Record) ([]study.Cell, error) {
	if s.gridSeeds == len(s.seeds) {
		return nil, nil
	}
	groups, err := s.groups(done)
	if err != nil {
		return nil, err
	}
	var cells []study.Cell
	for _, g := range s.finalists(groups) {
		for _, seed := range s.seeds {
			cells = append(cells, s.cell(g.arm, seed))
		}
	}
	return cells, nil
}

// finalists are the best settings of the grid by mean test accuracy over the seeds that all were run with, the best first.
func (s *pacStudy) finalists(groups []pacGroup) []pacGroup {
	grid := slices.DeleteFunc(slices.Clone(groups), func(g pacGroup) bool { return g.Role != roleGrid && g.Role != roleBare || g.first == nil })
	slices.SortStableFunc(grid, func(a, b pacGroup) int {
		switch {
		case a.first.Mean > b.first.Mean:
			return -1
		case a.first.Mean < b.first.Mean:
			return 1
		}
		return 0
	})
	return grid[:min(len(grid), s.Int("finalists"))]
}

// Line is a finished cell.
func (s *pacStudy) Line(r *study.Record) string {
	x, err := resultOf[pacResult](r)
	if err != nil {
		return r.Cell.String()
	}
	line := fmt.Sprintf("seed %s, %s: ", r.Cell.Get("seed"), s.arm[r.Cell.Key()].name)
	if x.Diverged != "" {
		return line + "diverged" + fmt.Sprintf(" (%.1f s)", r.Seconds)
	}
	return line + fmt.Sprintf("test accuracy %.2f %%, train %.2f %% (%.1f s)", 100**x.TestAccuracy, 100*x.TrainAccuracy, r.Seconds)
}
