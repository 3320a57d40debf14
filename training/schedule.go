package training

import (
	"fmt"
	"math"
	"strings"
)

// Schedule is how the learning rate goes over a run: a row of Schedules.
type Schedule struct {
	Name string
	Doc  string // one line for help
	// factor is what the rate is multiplied by t steps behind the warmup, of n altogether; min is the least rate as a part of
	// the first.
	factor func(c ScheduleConfig, t, n, min float64) float64
}

// ScheduleConfig sets a schedule up. Zero values are defaults where one is named.
type ScheduleConfig struct {
	Rate   float64 // the rate behind the warmup
	Steps  int64   // of the whole run, warmup included
	Warmup int64   // steps in which the rate grows from Rate/Warmup to Rate
	Min    float64 // where linear, cosine and polynomial end, and plateau stops
	Every  int64   // step: steps between two reductions; a third of the run
	Gamma  float64 // step and plateau: what the rate is multiplied by; 0.1
	Power  float64 // polynomial; 2
}

// Schedules lists the schedules. The formulas are those of PyTorch's classes of the same names.
var Schedules = []Schedule{
	{"constant", "the same rate all along", func(ScheduleConfig, float64, float64, float64) float64 { return 1 }},
	{"linear", "straight to --min-lr at the end", func(_ ScheduleConfig, t, n, min float64) float64 { return 1 + (min-1)*t/n }},
	// min + (1 - min)(1 + cos(pi t/n))/2
	{"cosine", "half a cosine to --min-lr at the end", func(_ ScheduleConfig, t, n, min float64) float64 {
		return min + (1-min)*(1+math.Cos(math.Pi*t/n))/2
	}},
	// gamma^floor(t/every)
	{"step", "times --gamma every --step-size steps", func(c ScheduleConfig, t, _, _ float64) float64 {
		return math.Pow(c.Gamma, math.Floor(t/float64(c.Every)))
	}},
	{"plateau", "times --gamma when the validation loss stops falling", func(ScheduleConfig, float64, float64, float64) float64 { return 1 }},
	// min + (1 - min)(1 - t/n)^power
	{"polynomial", "a power of what is left, to --min-lr at the end", func(c ScheduleConfig, t, n, min float64) float64 {
		return min + (1-min)*math.Pow(1-t/n, c.Power)
	}},
}

// ScheduleNames lists the names of the schedules.
func ScheduleNames() []string {
	names := make([]string, len(Schedules))
	for i, s := range Schedules {
		names[i] = s.Name
	}
	return names
}

// FindSchedule looks a schedule up by name.
func FindSchedule(name string) (Schedule, error) {
	for _, s := range Schedules {
		if s.Name == name {
			return s, nil
		}
	}
	return Schedule{}, fmt.Errorf("schedule %q: no such schedule, there are %s", name, strings.Join(ScheduleNames(), ", "))
}

// Rates gives the rate of each step, the first being 1: a pure function. What plateau takes off is its Plateau's to say.
func (s Schedule) Rates(c ScheduleConfig) (func(step int64) float64, error) {
	if c.Every == 0 {
		c.Every = max((c.Steps-c.Warmup)/3, 1)
	}
	if c.Gamma == 0 {
		c.Gamma = 0.1
	}
	if c.Power == 0 {
		c.Power = 2
	}
	switch {
	case !(c.Rate > 0):
		return nil, fmt.Errorf("schedule %s: a rate of %g is not above 0", s.Name, c.Rate)
	case c.Warmup < 0 || c.Warmup > 0 && c.Warmup >= c.Steps:
		return nil, fmt.Errorf("schedule %s: a warmup of %d steps in a run of %d", s.Name, c.Warmup, c.Steps)
	case c.Min < 0 || c.Min > c.Rate:
		return nil, fmt.Errorf("schedule %s: a least rate of %g, the first is %g", s.Name, c.Min, c.Rate)
	case c.Gamma < 0 || c.Gamma >= 1 || c.Every < 1 || c.Power <= 0:
		return nil, fmt.Errorf("schedule %s: wants a factor in (0, 1), a step size from 1 and a power above 0", s.Name)
	}
	least, n := c.Min/c.Rate, float64(max(c.Steps-c.Warmup, 1))
	return func(step int64) float64 {
		if step <= c.Warmup {
			return c.Rate * float64(step) / float64(c.Warmup)
		}
		t := float64(step - 1 - c.Warmup)
		return c.Rate * s.factor(c, min(t, n), n, least)
	}, nil
}

// Plateau reduces a rate when a loss stops falling, as PyTorch's ReduceLROnPlateau: a loss counts as lower below
// (1 - 1e-4) times the lowest so far. Its fields are its whole state, for a checkpoint.
type Plateau struct {
	Factor float64  `json:"factor"` // what the rate is multiplied by now; 1 before the first reduction
	Best   *float64 `json:"best"`   // lowest loss so far
	Bad    int64    `json:"bad"`    // losses since that were not lower
}

// NewPlateau is the state before the first loss.
func NewPlateau() *Plateau { return &Plateau{Factor: 1} }

// See takes a loss and reports whether the factor was reduced: by gamma, after more than patience losses that were not lower,
// down to least.
func (p *Plateau) See(loss, gamma float64, patience int64, least float64) (reduced bool) {
	const threshold, smallest = 1e-4, 1e-8
	if p.Best == nil || loss < *p.Best*(1-threshold) {
		p.Best, p.Bad = &loss, 0
		return false
	}
	if p.Bad++; p.Bad <= patience {
		return false
	}
	p.Bad = 0
	after := max(p.Factor*gamma, least)
	if p.Factor-after <= smallest*p.Factor {
		return false
	}
	p.Factor = after
	return true
}
