package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"graft/onnx/atomicfile"
)

// Options of a run.
type Options struct {
	Jobs    int    // steps at a time
	Anew    bool   // nothing that is there counts
	Stamp   string // of the program and its libraries: part of every key
	DryRun  bool   // say what would run
	Execute func(context.Context, *Run) Result
	Event   func(*StepRun) // a run has ended; one call at a time
}

// Result is how a step's command ended.
type Result struct {
	Exit     int
	Document json.RawMessage // what it printed, when that is JSON
	Reason   string          // what it said on stderr, in a line
	Err      error           // it could not be started
}

// exitNo is the exit code of an answer that is no.
const exitNo = 1

// Run runs what has to run, each step once those that it needs are done. A step that fails takes those that need it along,
// and no other. When ctx ends nothing more is begun, and what has finished is kept.
func (p *Plan) Run(ctx context.Context, o Options) *Report {
	start := time.Now()
	report := &Report{Pipeline: p.File.Name, Folder: p.Places.Work, Steps: make([]StepRun, len(p.Runs))}
	place := map[*Run]int{}
	for i, r := range p.Runs {
		place[r] = i
		report.Steps[i] = StepRun{ID: r.ID, Step: r.Step.Name, Verb: r.Step.Verb, Cell: r.Cell, Command: r.Command(), Outputs: r.Outputs()}
		for _, n := range r.Needs {
			report.Steps[i].Needs = append(report.Steps[i].Needs, n.ID)
		}
	}
	h := &hasher{skip: p.Places.Work}
	ended := make(chan ending)
	begun, running, alone := make([]bool, len(p.Runs)), 0, false
	finish := func(i int) {
		if o.Event != nil {
			o.Event(&report.Steps[i])
		}
	}
	for {
		progress := false
		for i, r := range p.Runs {
			if begun[i] {
				continue
			}
			s := &report.Steps[i]
			ready, verdict, reason := p.ready(r, report.Steps, place)
			switch {
			case verdict != "":
				begun[i], progress = true, true
				s.Status, s.Reason = verdict, reason
				finish(i)
				continue
			case !ready:
				continue
			case ctx.Err() != nil:
				begun[i], progress = true, true
				s.Status, s.Reason = Interrupted, "not begun"
				finish(i)
				continue
			case running >= max(o.Jobs, 1) || alone || r.Step.Alone && running > 0:
				continue
			}
			begun[i], alone = true, r.Step.Alone
			running++
			go func(begun StepRun) {
				p.complete(ctx, r, &begun, o, h)
				ended <- ending{i, begun}
			}(*s)
		}
		if running == 0 {
			if progress {
				continue
			}
			break
		}
		end := <-ended
		running--
		alone = false
		report.Steps[end.place] = end.step
		finish(end.place)
	}
	report.count()
	report.Seconds = time.Since(start).Seconds()
	return report
}

// ready says whether all that r needs is done; or what becomes of r when that will never be.
func (p *Plan) ready(r *Run, steps []StepRun, place map[*Run]int) (ready bool, verdict Status, reason string) {
	for _, n := range r.Needs {
		switch s := &steps[place[n]]; s.Status {
		case Done, Cached:
		case Failed, Skipped:
			return false, Skipped, "needs " + s.ID
		case Interrupted:
			return false, Interrupted, "needs " + s.ID
		case WouldRun:
			return false, WouldRun, "needs " + s.ID
		default:
			return false, "", ""
		}
	}
	return true, "", ""
}

// ending is a run that has ended, and its place in the plan.
type ending struct {
	place int
	step  StepRun
}

// complete runs r unless its result is there, and fills s.
func (p *Plan) complete(ctx context.Context, r *Run, s *StepRun, o Options, h *hasher) {
	fail := func(err error) {
		s.Status, s.Reason = Failed, err.Error()
	}
	key, err := p.keyOf(r, o.Stamp, h)
	if err != nil {
		fail(err)
		return
	}
	s.Key = key
	if !o.Anew {
		if state := r.kept(key); state != nil {
			s.Status, s.Exit, s.Document, s.Seconds = Cached, &state.Exit, state.Document, state.Seconds
			return
		}
	}
	if o.DryRun {
		s.Status = WouldRun
		return
	}
	if err := fresh(r.Folder); err != nil {
		fail(err)
		return
	}
	h.forget(r.Folder)
	start := time.Now()
	res := o.Execute(ctx, r)
	s.Seconds, s.Document, s.Reason = time.Since(start).Seconds(), res.Document, res.Reason
	if res.Err == nil {
		s.Exit = &res.Exit
	}
	switch {
	case ctx.Err() != nil && (res.Err != nil || res.Exit != 0):
		s.Status, s.Reason = Interrupted, "stopped"
	case res.Err != nil:
		fail(res.Err)
	case res.Exit == exitNo && r.Step.AllowNo, res.Exit == 0:
		if err := r.seal(s); err != nil {
			fail(err)
			break
		}
		s.Status = Done
		return
	default:
		s.Status = Failed
		if s.Reason == "" && res.Exit == exitNo {
			s.Reason = "its answer is no"
		}
		if s.Reason == "" {
			s.Reason = fmt.Sprintf("exit code %d", res.Exit)
		}
	}
	// What a step leaves that did not finish is nobody's.
	if err := os.RemoveAll(r.Folder); err != nil {
		s.Reason += "; " + err.Error()
	}
}

// fresh makes an empty folder. The mark that a former run has finished goes first.
func fresh(folder string) error {
	err := os.Remove(filepath.Join(folder, stateName))
	if err == nil || errors.Is(err, os.ErrNotExist) {
		err = os.RemoveAll(folder)
	}
	if err == nil {
		err = os.MkdirAll(folder, 0o777)
	}
	return err
}

// seal writes down that a run has finished.
func (r *Run) seal(s *StepRun) error {
	if flag := r.missing(); flag != "" {
		return fmt.Errorf("the step has ended well and not written its output %s", flag)
	}
	sum, err := hashFolder(r.Folder, filepath.Join(r.Folder, stateName))
	if err != nil {
		return err
	}
	state := State{Key: s.Key, Contents: sum, Exit: *s.Exit, Seconds: s.Seconds, Command: s.Command, Document: s.Document}
	data, err := json.MarshalIndent(state, "", "  ")
	if err != nil {
		return err
	}
	return atomicfile.WriteFile(filepath.Join(r.Folder, stateName), append(data, '\n'), 0o666)
}
