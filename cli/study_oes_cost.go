package cli

import (
	"context"
	"errors"
	"fmt"
	"math"
	goruntime "runtime"

	"graft/training/oes"
	"graft/training/study"
)

// stepTimes are the seconds of a step for each pixel of the padded picture.
type stepTimes struct{ fit, mask, decoder float64 }

// Cost runs a few steps of each kind on the first picture that is to do.
func (s *oesStudy) Cost(ctx context.Context, todo []study.Cell) (studyCost, error) {
	cost, seconds := studyCost{}, map[string]float64{}
	var works []oes.Work
	var pixels []float64
	total := oes.Work{}
	for _, c := range todo {
		w, px, err := s.workOf(c)
		if err != nil {
			return cost, err
		}
		works, pixels = append(works, w), append(pixels, px)
		total = oes.Work{Fit: total.Fit + w.Fit, Mask: total.Mask + w.Mask, Decoder: total.Decoder + w.Decoder}
	}
	cost.Steps = total.Fit + total.Mask + total.Decoder
	times := stepTimes{}
	if cost.Steps > 0 {
		var err error
		if times, err = s.measure(ctx, todo[0], total); err != nil {
			return cost, err
		}
	}
	for i, c := range todo {
		w := works[i]
		seconds[c.Key()] = secondsBeside + pixels[i]*(times.fit*float64(w.Fit)+times.mask*float64(w.Mask)+times.decoder*float64(w.Decoder))
		cost.Seconds += seconds[c.Key()]
	}
	cost.Seconds = math.Ceil(cost.Seconds / float64(max(1, min(s.Int("jobs"), goruntime.NumCPU()))))
	cost.Of = func(c study.Cell) float64 { return seconds[c.Key()] }
	return cost, nil
}

// workOf is what a cell has to do, and the pixels of its padded picture.
func (s *oesStudy) workOf(c study.Cell) (oes.Work, float64, error) {
	p, m, err := s.find(c)
	if err != nil {
		return oes.Work{}, 0, err
	}
	steps := s.stepsFor(p)
	n, err := s.network(p)
	if err != nil {
		return oes.Work{}, 0, refused(p.name, err)
	}
	t := &oes.Trial{Sparsity: c.Float("sparsity"), Steps: steps.Fit, RoundSteps: steps.Round, Mask: oes.MaskConfig{Steps: steps.Mask}}
	return m.Work(t, n.weights), float64(n.Height * n.Width), nil
}

// measure times a step of each kind that is wanted, on one picture.
func (s *oesStudy) measure(ctx context.Context, c study.Cell, wanted oes.Work) (stepTimes, error) {
	p, _, err := s.find(c)
	if err != nil {
		return stepTimes{}, err
	}
	trial, err := s.trial(p, c)
	if err != nil {
		return stepTimes{}, err
	}
	out, pixels := stepTimes{}, float64(trial.Problem.Noisy.Dims[2]*trial.Problem.Noisy.Dims[3])
	for _, kind := range []struct {
		wanted int64
		to     *float64
		run    func(oes.Run) error
	}{
		{wanted.Fit, &out.fit, func(r oes.Run) error {
			_, err := trial.Problem.Fit(ctx, oes.FitConfig{Steps: measuredSteps, Rate: 1e-3}, r)
			return err
		}},
		{wanted.Mask, &out.mask, func(r oes.Run) error {
			_, err := trial.Problem.LearnMask(ctx, oes.MaskConfig{Steps: measuredSteps}, r)
			return err
		}},
		{wanted.Decoder, &out.decoder, func(r oes.Run) error {
			_, err := trial.Decoder.Fit(ctx, oes.FitConfig{Steps: measuredSteps, Rate: 1e-3}, r)
			return err
		}},
	} {
		if kind.wanted == 0 {
			continue
		}
		watch := newStepWatch()
		run := oes.Run{Session: s.session(), Progress: func(step, _ int64, _, _ float64) { watch.see(step) }}
		if err := kind.run(run); err != nil {
			if errors.Is(err, context.Canceled) {
				return stepTimes{}, err
			}
			return stepTimes{}, fmt.Errorf("measure a step: %w", err)
		}
		*kind.to = watch.least / pixels
	}
	return out, nil
}
