package cli

import (
	"fmt"
	"time"

	"graft/training/study"
)

// teller tells of each cell as it ends, with the time that the others will take.
type teller struct {
	c           *call
	e           experiment
	cost        studyCost
	begun       time.Time
	done, total float64 // shares of the work that this run has to do
}

func newTeller(c *call, e experiment, cells []study.Cell, cost studyCost) *teller {
	t := &teller{c: c, e: e, cost: cost, begun: time.Now()}
	for _, cell := range cells {
		if !study.Done(c.Out(), cell) {
			t.total += cost.Of(cell)
		}
	}
	return t
}

func (t *teller) tell(e study.Event) {
	if e.Found {
		return
	}
	t.done += t.cost.Of(e.Cell)
	line := e.Cell.String()
	if e.Err == nil {
		line = t.e.Line(e.Record)
	} else {
		line += ": " + e.Err.Error()
	}
	left := ""
	if t.done > 0 && e.Done < t.cost.Cells {
		left = fmt.Sprintf("; about %s left", roughly(time.Since(t.begun).Seconds()*(t.total-t.done)/t.done))
	}
	t.c.Say("%d/%d %s%s", e.Done, t.cost.Cells, line, left)
}

// roughly is a length of time for people.
func roughly(seconds float64) string {
	switch {
	case seconds < 90:
		return fmt.Sprintf("%.0f s", seconds)
	case seconds < 90*60:
		return fmt.Sprintf("%.0f min", seconds/60)
	case seconds < 48*3600:
		return fmt.Sprintf("%.1f h", seconds/3600)
	}
	return fmt.Sprintf("%.1f days", seconds/86400)
}
