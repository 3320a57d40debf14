package pipeline

import "encoding/json"

// Status of a run in a report.
type Status string

const (
	Done        Status = "done"
	Cached      Status = "cached"      // done earlier, and nothing has changed
	Failed      Status = "failed"      // or its answer was no
	Skipped     Status = "skipped"     // a step that it needs failed
	Interrupted Status = "interrupted" // stopped, or not begun
	WouldRun    Status = "would run"   // of a dry run
)

// Report is what came of a plan.
type Report struct {
	Pipeline    string    `json:"pipeline"`
	Folder      string    `json:"folder"`
	OK          bool      `json:"ok"` // every step is done or cached
	Ran         int       `json:"ran"`
	Cached      int       `json:"cached"`
	Failed      int       `json:"failed"`
	Skipped     int       `json:"skipped"`
	Interrupted int       `json:"interrupted,omitempty"`
	WouldRun    int       `json:"would_run,omitempty"`
	Seconds     float64   `json:"seconds"`
	Steps       []StepRun `json:"steps"`
}

// StepRun is one run in a report. Document is what the verb printed under --json.
type StepRun struct {
	ID       string            `json:"id"`
	Step     string            `json:"step"`
	Verb     string            `json:"verb"`
	Cell     map[string]string `json:"cell,omitempty"`
	Needs    []string          `json:"needs,omitempty"`
	Status   Status            `json:"status"`
	Exit     *int              `json:"exit,omitempty"`
	Seconds  float64           `json:"seconds"`
	Command  []string          `json:"command"`
	Outputs  map[string]string `json:"outputs,omitempty"`
	Reason   string            `json:"reason,omitempty"`
	Key      string            `json:"key,omitempty"`
	Document json.RawMessage   `json:"document,omitempty"`
}

// count fills the sums.
func (r *Report) count() {
	r.Ran, r.Cached, r.Failed, r.Skipped, r.Interrupted, r.WouldRun = 0, 0, 0, 0, 0, 0
	for _, s := range r.Steps {
		switch s.Status {
		case Done:
			r.Ran++
		case Cached:
			r.Cached++
		case Failed:
			r.Failed++
		case Skipped:
			r.Skipped++
		case Interrupted:
			r.Interrupted++
		case WouldRun:
			r.WouldRun++
		}
	}
	r.OK = r.Ran+r.Cached == len(r.Steps)
}
