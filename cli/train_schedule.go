package cli

import (
	"fmt"
	"strconv"
	"strings"

	"graft/training"
)

// planRates reads the flags of the learning rate.
func (r *trainRun) planRates() error {
	schedule, err := training.FindSchedule(r.Text("schedule"))
	if err != nil {
		return misuse("--schedule: %v", err)
	}
	r.config = training.ScheduleConfig{Rate: r.Float("lr"), Steps: r.steps, Min: r.Float("min-lr"),
		Every: int64(r.Int("step-size")), Gamma: r.Float("gamma"), Power: r.Float("power")}
	if r.config.Rate == 0 {
		r.config.Rate = r.contract.LearningRate
	}
	if r.config.Warmup, err = warmupSteps(r.Text("warmup"), r.steps); err != nil {
		return err
	}
	if r.config.Min > r.config.Rate {
		return misuse("--min-lr %g is above the learning rate %g", r.config.Min, r.config.Rate)
	}
	if r.rates, err = schedule.Rates(r.config); err != nil {
		return misuse("%v", err)
	}
	return nil
}

// warmupSteps reads a number of steps, or a part of them written with a point or as a quotient.
func warmupSteps(s string, steps int64) (int64, error) {
	if s == "" {
		return 0, nil
	}
	var n int64
	if strings.ContainsAny(s, "./eE") {
		part, err := parseFraction(s)
		if err != nil || part < 0 || part >= 1 {
			return 0, misuse("--warmup %s: wants a number of steps, or a part of them in [0, 1)", quote(s))
		}
		return int64(part * float64(steps)), nil
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 {
		return 0, misuse("--warmup %s: wants a number of steps, or a part of them in [0, 1)", quote(s))
	}
	if n >= steps {
		return 0, misuse("--warmup %d: the run has %d steps", n, steps)
	}
	return n, nil
}

// rate is the learning rate of a step.
func (r *trainRun) rate(step int64) float64 {
	rate := r.rates(step)
	if r.Text("schedule") == "plateau" {
		rate *= r.record.Plateau.Factor
	}
	return rate
}

// course describes what changes the training beside seed, batch and data: runs of another course are other runs.
func (r *trainRun) course() string {
	c, name := r.config, r.Text("schedule")
	s := fmt.Sprintf("%s %g", name, c.Rate)
	switch name {
	case "linear", "cosine":
		s += fmt.Sprintf(" to %g in %d", c.Min, c.Steps)
	case "polynomial":
		s += fmt.Sprintf(" to %g in %d, power %g", c.Min, c.Steps, c.Power)
	case "step":
		every := c.Every
		if every == 0 {
			every = max((c.Steps-c.Warmup)/3, 1)
		}
		s += fmt.Sprintf(" times %g every %d", c.Gamma, every)
	case "plateau":
		s += fmt.Sprintf(" times %g to %g after %d of %d steps", c.Gamma, c.Min, r.Int("patience"), r.evalEvery())
	}
	if c.Warmup > 0 {
		s += fmt.Sprintf(", warmup %d", c.Warmup)
	}
	if !r.augmented.IsZero() {
		s += fmt.Sprintf(", augmented %v", r.augmented)
	}
	if r.pruning != nil {
		s += fmt.Sprintf(", pruned %+v %s", r.pruning.Gradual, r.pruning.scope)
	}
	return s
}
