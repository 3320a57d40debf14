package cli

import (
	"fmt"
	"math"
	goruntime "runtime"
	"time"

	"graft/training/study"
)

// studyCost is what lies before a study.
type studyCost struct {
	Cells   int     `json:"cells"`
	Found   int     `json:"found"` // of them, done before
	Steps   int64   `json:"steps"` // of those that are not
	Seconds float64 `json:"estimated_seconds"`
	// Of gives the share of the work that a cell is, for the time that is left.
	Of func(study.Cell) float64 `json:"-"`
}

// Work that is not steps: setting a cell up, sizes and latencies.
const secondsBeside = 1.0

// measuredSteps is how many steps are run to find out what one costs; the first are slower.
const measuredSteps = 6

// String is the line that a study begins with.
func (s studyCost) String() string {
	line := counted(s.Cells, "cell")
	if s.Found > 0 {
		line += fmt.Sprintf(", %d of them done already", s.Found)
	}
	return fmt.Sprintf("%s; %d steps to take, about %s", line, s.Steps, roughly(s.Seconds))
}

// costOf adds up what steps and seconds gives for each cell that is to be run.
func costOf(c *call, todo []study.Cell, of func(study.Cell) (steps int64, seconds float64, err error)) (studyCost, error) {
	cost, seconds := studyCost{}, map[string]float64{}
	for _, cell := range todo {
		steps, took, err := of(cell)
		if err != nil {
			return cost, err
		}
		cost.Steps += steps
		cost.Seconds += secondsBeside + took
		seconds[cell.Key()] = secondsBeside + took
	}
	cost.Seconds = math.Ceil(cost.Seconds / float64(max(1, min(c.Int("jobs"), goruntime.NumCPU()))))
	cost.Of = func(cell study.Cell) float64 { return seconds[cell.Key()] }
	return cost, nil
}

// stepWatch finds the shortest of some steps, the first two left out.
type stepWatch struct {
	least float64 // in seconds
	last  time.Time
}

func newStepWatch() *stepWatch { return &stepWatch{least: math.Inf(1)} }

// see is called behind each step.
func (w *stepWatch) see(step int64) {
	now := time.Now()
	if step > 2 {
		w.least = min(w.least, now.Sub(w.last).Seconds())
	}
	w.last = now
}
