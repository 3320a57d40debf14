package cli

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"graft/graphs"
	"graft/training/curvature"
	"graft/training/momentum"
	"graft/training/study"
)

// momentumClassifier trains one network at equal effective steps.
type momentumClassifier struct {
	*classifierStudy
	steps    int64
	schedule func(step int64) float64
	rates    []float64
	seeds    []uint64
	arms     []momentumArm
}

// momentumArm is what a cell trains with at an effective step.
type momentumArm struct {
	method   momentum.Method
	beta     float64
	strength func(rate float64) float64 // nil: the method has none
	inPlace  *float64                   // the beta that the strength makes up for
}

func planMomentumClassifier(c *call) (experiment, error) {
	s := &momentumClassifier{classifierStudy: &classifierStudy{call: c}, steps: int64(c.Int("steps"))}
	if len(c.List("data")) == 0 {
		return nil, misuse("study momentum --problem classifier needs --data: what to train on")
	}
	seeds := c.Int("seeds")
	if s.steps == 0 {
		s.steps = 2000
	}
	if c.Bool("quick") {
		s.steps = max(1, s.steps/20)
		if !c.IsSet("seeds") {
			seeds = 1
		}
	}
	s.seeds = c.seedsFrom(seeds)
	var err error
	if s.rates, err = c.fractions("rates", above(0, 1000), 0.1); err != nil {
		return nil, err
	}
	if s.schedule, err = scheduleOf(c, s.steps); err != nil {
		return nil, err
	}
	if err := s.chooseArms(); err != nil {
		return nil, err
	}
	if err := s.chooseNetwork(); err != nil {
		return nil, err
	}
	return s, s.read(s.seeds[0])
}

// chooseArms settles what is compared.
func (s *momentumClassifier) chooseArms() error {
	betas, err := s.betas(0, 0.3, 0.5, 0.8)
	if err != nil {
		return err
	}
	names := s.List("methods")
	if len(names) == 0 {
		names = []string{momentum.Methods[0].Name}
	}
	for i, name := range names {
		m, err := momentum.FindMethod(name)
		if err != nil {
			return misuse("--methods: %s%s", err, didYouMean(nearest(name, momentum.MethodNames())))
		}
		if slices.Contains(names[:i], name) {
			return misuse("--methods names %s twice", name)
		}
		flag := methodFlag[name]
		if flag == "" {
			for _, beta := range betas {
				s.arms = append(s.arms, momentumArm{method: m, beta: beta})
			}
			continue
		}
		strengths, err := s.fractions(flag, between(0, 1e9), m.Usual)
		if err != nil {
			return err
		}
		if name == "gradient-penalty" && !s.IsSet(flag) {
			for _, beta := range betas {
				if beta > 0 {
					s.arms = append(s.arms, momentumArm{method: m, inPlace: &beta, strength: func(rate float64) float64 {
						return momentum.Heavy{Rate: rate, Beta: beta}.Explicit().Penalty
					}})
				}
			}
			continue
		}
		for _, x := range strengths {
			s.arms = append(s.arms, momentumArm{method: m, strength: func(float64) float64 { return x }})
		}
	}
	for name, flag := range methodFlag {
		if s.IsSet(flag) && !slices.Contains(names, name) {
			return misuse("--%s goes with %s among --methods", flag, name)
		}
	}
	return nil
}

// methodFlag is the flag of a method's strength.
var methodFlag = map[string]string{"gradient-penalty": "penalty", "sam": "rho", "noise": "sigma"}

// Cells are all arms at all effective steps for one seed, then for the next.
func (s *momentumClassifier) Cells() []study.Cell {
	var cells []study.Cell
	settings := strings.Join(graphs.Settings(s.network), " ")
	for _, seed := range s.seeds {
		for _, rate := range s.rates {
			for _, a := range s.arms {
				c := study.Cell{{Name: "problem", Value: problemClassifier}, {Name: "network", Value: s.name}, {Name: "settings", Value: settings},
					{Name: "data", Value: s.dataID}, {Name: "samples", Value: s.set.samples()}, {Name: "batch", Value: s.batch}, {Name: "steps", Value: s.steps},
					{Name: "schedule", Value: s.Text("schedule")}, {Name: "gamma", Value: s.Float("gamma")},
					{Name: "curvature_samples", Value: min(int64(s.Int("curvature-samples")), s.set.samples())}, {Name: "probes", Value: s.Int("probes")},
					{Name: "products", Value: s.Int("products")}, {Name: "tolerance", Value: s.Float("tolerance")},
					{Name: "seed", Value: seed}, {Name: "h_eff", Value: rate}, {Name: "method", Value: a.method.Name}, {Name: "beta", Value: a.beta}}
				if a.strength != nil {
					c = c.With("strength", a.strength(rate))
				}
				if a.inPlace != nil {
					c = c.With("in_place_of_beta", *a.inPlace)
				}
				cells = append(cells, c)
			}
		}
	}
	return study.Unique(cells)
}

// classifierResult is what a cell comes to.
type classifierResult struct {
	*momentum.Scores
	*momentum.Flatness
	Step  float64           `json:"h"`
	Curve []momentum.Sample `json:"curve"`
}

// config is what a cell trains with.
func (s *momentumClassifier) config(c study.Cell) (momentum.Config, error) {
	method, err := momentum.FindMethod(c.Get("method"))
	seed, failed := seedOfCell(c)
	return momentum.Config{Heavy: momentum.Heavy{Rate: c.Float("h_eff"), Beta: c.Float("beta")}, Method: method, Strength: c.Float("strength"),
		Steps: s.steps, Schedule: s.schedule, Seed: seed}, errors.Join(err, failed)
}

// Run does a cell.
func (s *momentumClassifier) Run(ctx context.Context, c study.Cell, _ string, _ *study.Folder) (any, error) {
	config, err := s.config(c)
	if err != nil {
		return nil, err
	}
	p, err := s.problem(s.network, s.batch, config.Seed)
	if err != nil {
		return nil, err
	}
	trained, err := p.Train(ctx, config, momentum.Run{Session: s.session()})
	if err != nil {
		return nil, err
	}
	r := &classifierResult{Step: config.Step(), Curve: trained.Samples}
	if r.Scores, err = trained.Scores(ctx); err != nil {
		return nil, err
	}
	samples, err := s.set.first(int64(s.Int("curvature-samples")), s.batch)
	if err != nil {
		return nil, err
	}
	r.Flatness, err = trained.Flatness(ctx, momentum.FlatnessConfig{Data: samples, Probes: s.Int("probes"), Seed: config.Seed,
		Lanczos: curvature.LanczosConfig{Tolerance: s.Float("tolerance"), Most: s.Int("products")}})
	return r, err
}

// Cost times a few steps of each method.
func (s *momentumClassifier) Cost(ctx context.Context, todo []study.Cell) (studyCost, error) {
	each := map[string]float64{}
	return costOf(s.call, todo, func(c study.Cell) (int64, float64, error) {
		name := c.Get("method")
		if each[name] == 0 {
			config, err := s.config(c)
			if err != nil {
				return 0, 0, err
			}
			config.Schedule = nil
			if each[name], err = s.stepTime(ctx, s.batch, config); err != nil {
				return 0, 0, err
			}
		}
		// A product takes about two steps' time for each batch of its samples.
		products := float64(s.Int("probes")+s.Int("products")/2) * 2 * math.Ceil(c.Float("curvature_samples")/float64(s.batch))
		return s.steps, each[name] * (float64(s.steps) + products), nil
	})
}

// Line is a finished cell.
func (s *momentumClassifier) Line(r *study.Record) string {
	x, err := resultOf[classifierResult](r)
	if err != nil {
		return r.Cell.String()
	}
	line := fmt.Sprintf("seed %s, %s: loss %.4g, sharpness %.4g, |gradient|^2 %.3g", r.Cell.Get("seed"), armName(r.Cell), x.TrainLoss, x.Sharpness, x.Gradient2)
	if x.TestAccuracy != nil {
		line += fmt.Sprintf(", test accuracy %.2f %%", 100**x.TestAccuracy)
	}
	return line + fmt.Sprintf(" (%.1f s)", r.Seconds)
}

// armName names what a cell trains with.
func armName(c study.Cell) string {
	name := c.Get("method")
	switch {
	case c.Get("in_place_of_beta") != "":
		name += " for beta " + c.Get("in_place_of_beta")
	case c.Get("strength") != "":
		name += " " + c.Get("strength")
	default:
		name += ", beta " + c.Get("beta")
	}
	return name + ", h_eff " + c.Get("h_eff")
}
