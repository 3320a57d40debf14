package cli

import (
	"errors"
	"path/filepath"

	"graft/training"
	"graft/training/dataset"
)

// errStopEarly ends a run whose validation loss does not fall any more.
var errStopEarly = errors.New("the validation loss does not fall any more")

// trainMark is what an evaluation said.
type trainMark struct {
	Step     int64    `json:"step"`
	Loss     float64  `json:"loss"`
	Accuracy *float64 `json:"accuracy,omitempty"`
	Average  bool     `json:"eval_average,omitempty"` // of the moving average of the parameters
}

// trainWatch is what early stopping remembers.
type trainWatch struct {
	Lowest *float64 `json:"lowest,omitempty"`
	Bad    int64    `json:"bad"`
}

// trainChecks are the evaluations of a run. The session is opened by the first.
type trainChecks struct {
	data      *dataset.Batches
	evaluator *training.Evaluator
}

func (t *trainChecks) close() {
	if t.evaluator != nil {
		t.evaluator.Close()
	}
}

func (r *trainRun) evalEvery() int64 {
	if n := int64(r.Int("eval-every")); n > 0 {
		return n
	}
	return r.data.PerEpoch()
}

// evalDue reports whether the model is evaluated behind a step; regularly is false for the last step out of turn.
func (r *trainRun) evalDue(step int64) (due, regularly bool) {
	if r.checks == nil || step == 0 {
		return false, false
	}
	regularly = step%r.evalEvery() == 0
	return regularly || step == r.steps, regularly
}

// due reports whether something is to be done with the state behind a step.
func (r *trainRun) due(step int64) bool {
	eval, _ := r.evalDue(step)
	return eval || r.pruning != nil && r.pruning.Due(step)
}

// visit prunes and evaluates. What it changes of the record is changed when all of it is done, so that a visit that is cut
// off is made again by the run that goes on.
func (r *trainRun) visit(s *training.Snapshot) (*training.Snapshot, error) {
	next, after, reduced := r.record, s, false
	pruned := r.pruning != nil && r.pruning.Due(s.Steps)
	if pruned {
		var err error
		if after, next.Sparsity, err = r.pruning.prune(r, s); err != nil {
			return nil, err
		}
	}
	var stop error
	if due, regularly := r.evalDue(s.Steps); due {
		mark, err := r.evaluate(after)
		if err != nil {
			return nil, err
		}
		next.Eval = mark
		if r.pruning == nil || s.Steps >= r.pruning.End { // losses of networks that are denser are not to be compared with
			if reduced, stop, err = r.judge(&next, after, mark, regularly); err != nil {
				return nil, err
			}
		}
	}
	next.Visited = &s.Steps
	r.record = next
	r.noteVisit(s.Steps)
	if pruned || reduced { // the steps between two checkpoints are all of one course
		if err := r.save(after); err != nil {
			return nil, err
		}
	}
	return after, stop
}

// evaluate runs the evaluation model over the validation data, with the moving average of the parameters where the artifacts
// keep one: it is what is exported of such a training.
func (r *trainRun) evaluate(s *training.Snapshot) (*trainMark, error) {
	if r.checks.evaluator == nil {
		m, err := training.OpenEval(r.dir, r.contract)
		if err != nil {
			return nil, refused(r.dir, err)
		}
		if r.checks.evaluator, err = training.NewEvaluator(m, r.contract, r.step, r.runtimeOptions()); err != nil {
			return nil, runtimeError(err, filepath.Join(r.dir, training.EvalFile))
		}
	}
	e, err := r.checks.evaluator.Evaluate(r.Context(), s.Averaged(), r.checks.data)
	if err != nil {
		return nil, err
	}
	return &trainMark{s.Steps, e.Loss, e.Accuracy, r.contract.EMA > 0}, nil
}

// judge compares a loss with those before: it keeps the best checkpoint, reduces the rate, and says when to stop. The last
// evaluation, when it is out of turn, is none that a longer run would have made: only the best checkpoint looks at it.
func (r *trainRun) judge(next *trainRecord, s *training.Snapshot, mark *trainMark, regularly bool) (reduced bool, stop, err error) {
	if mark.Loss-mark.Loss == 0 && (next.Best == nil || mark.Loss < next.Best.Loss) {
		next.Best = mark
		if r.Bool("best") {
			record := *next
			record.Visited = &s.Steps
			if err := r.step.SaveCheckpoint(r.checkpoint()+bestCheckpoint, s, record); err != nil {
				return false, nil, err
			}
		}
	}
	if !regularly {
		return false, nil, nil
	}
	if r.Text("schedule") == "plateau" {
		p := *next.Plateau
		reduced = p.See(mark.Loss, r.config.Gamma, int64(r.Int("patience")), r.config.Min/r.config.Rate)
		next.Plateau = &p
	}
	if next.Watch.Lowest == nil || mark.Loss < *next.Watch.Lowest {
		next.Watch = trainWatch{Lowest: &mark.Loss}
	} else {
		next.Watch.Bad++
	}
	if n := int64(r.Int("early-stop")); n > 0 && next.Watch.Bad >= n {
		stop = errStopEarly
	}
	return reduced, stop, nil
}
