package cli

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"path/filepath"
	"strconv"
	"time"

	"graft/onnx/atomicfile"
	"graft/training"
	"graft/training/chart"
)

// trainLine is a line of history.csv. What was not measured behind the step is absent.
type trainLine struct {
	Step     int64    `json:"step"`
	Loss     float64  `json:"loss"`
	Seconds  float64  `json:"seconds"`
	Rate     float64  `json:"lr,omitempty"`
	Eval     *float64 `json:"eval_loss,omitempty"`
	Accuracy *float64 `json:"accuracy,omitempty"`
	Sparsity *float64 `json:"sparsity,omitempty"`
}

// seen takes note of a step.
func (r *trainRun) seen(p training.Progress) {
	line := trainLine{Step: p.Step, Loss: p.Loss, Seconds: r.before + time.Since(r.begun).Seconds(), Rate: r.rate(p.Step)}
	r.record.Last, r.record.Seconds, r.record.Rate = p.Loss, line.Seconds, line.Rate
	if kept(p.Step) || r.due(p.Step) {
		r.record.History = append(r.record.History, line)
	}
	r.log.step(line, r.data.Epoch(p.Step))
}

// kept reports whether a step is a line of the history: all of the first hundred, then one in ten, later one in a hundred.
func kept(step int64) bool { return step <= 100 || step%10 == 0 && step <= 10_000 || step%100 == 0 }

// noteVisit adds what a visit found to the step's line.
func (r *trainRun) noteVisit(step int64) {
	eval := r.record.Eval
	if eval != nil && eval.Step != step {
		eval = nil
	}
	h := r.record.History
	if n := len(h) - 1; n >= 0 && h[n].Step == step {
		h[n].Sparsity = r.record.Sparsity
		if eval != nil {
			h[n].Eval, h[n].Accuracy = &eval.Loss, eval.Accuracy
		}
	}
	r.log.visit(step, eval, r.record.Sparsity)
}

// save writes the checkpoint and the history, unless the visit of the step has done so.
func (r *trainRun) save(s *training.Snapshot) error {
	if r.savedAt == s.Steps {
		return nil
	}
	if err := r.log.flush(); err != nil { // before the checkpoint: lines behind it are cut off again, lines before it must be there
		return err
	}
	if err := r.step.SaveCheckpoint(r.checkpoint(), s, r.record); err != nil {
		return err
	}
	r.savedAt = s.Steps
	return r.writeHistory()
}

func (r *trainRun) writeHistory() error {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	_ = w.Write([]string{"step", "epoch", "loss", "seconds", "lr", "eval_loss", "accuracy", "sparsity"}) // a buffer takes everything
	for _, h := range r.record.History {
		_ = w.Write([]string{fmt.Sprint(h.Step), fmt.Sprint(r.data.Epoch(h.Step)), strconv.FormatFloat(h.Loss, 'g', 7, 64),
			strconv.FormatFloat(h.Seconds, 'f', 2, 64), strconv.FormatFloat(h.Rate, 'g', 7, 64), optional(h.Eval), optional(h.Accuracy), optional(h.Sparsity)})
	}
	w.Flush()
	return atomicfile.WriteFile(filepath.Join(r.dir, "history.csv"), b.Bytes(), 0o666)
}

func optional(x *float64) string {
	if x == nil {
		return ""
	}
	return strconv.FormatFloat(*x, 'g', 7, 64)
}

// plot draws the history as loss.png and curves.svg.
func (r *trainRun) plot() error {
	if len(r.record.History) == 0 {
		return nil
	}
	f := r.figure()
	png, err := f.PNG()
	if err != nil {
		return err
	}
	svg, err := f.SVG()
	if err != nil {
		return err
	}
	if err := atomicfile.WriteFile(filepath.Join(r.dir, "loss.png"), png, 0o666); err != nil {
		return err
	}
	return atomicfile.WriteFile(filepath.Join(r.dir, "curves.svg"), []byte(svg), 0o666)
}

// figure is the loss, and below it what else was measured.
func (r *trainRun) figure() chart.Figure {
	curve := func(name string, of func(trainLine) *float64) chart.Series {
		s := chart.Series{Name: name}
		for _, h := range r.record.History {
			if v := of(h); v != nil {
				s.X, s.Y = append(s.X, float64(h.Step)), append(s.Y, *v)
			}
		}
		return s
	}
	loss := chart.Panel{YLabel: "loss", Log: true, Series: []chart.Series{curve("training", func(h trainLine) *float64 { return &h.Loss })}}
	if s := curve("validation", func(h trainLine) *float64 { return h.Eval }); len(s.X) > 0 {
		loss.Series = append(loss.Series, s)
	}
	for _, s := range loss.Series {
		for _, y := range s.Y {
			loss.Log = loss.Log && y > 0
		}
	}
	f := chart.Figure{Title: filepath.Base(filepath.Clean(r.dir)), Panels: []chart.Panel{loss}}
	for _, more := range []struct {
		label, name string
		of          func(trainLine) *float64
	}{
		{"accuracy", "validation", func(h trainLine) *float64 { return h.Accuracy }},
		{"learning rate", "learning rate", func(h trainLine) *float64 { return &h.Rate }},
		{"sparsity", "sparsity", func(h trainLine) *float64 { return h.Sparsity }},
	} {
		s := curve(more.name, more.of)
		if len(s.X) == 0 || more.label == "learning rate" && constant(s.Y) {
			continue
		}
		f.Panels = append(f.Panels, chart.Panel{YLabel: more.label, Series: []chart.Series{s}})
	}
	f.Panels[len(f.Panels)-1].XLabel = "step"
	return f
}

func constant(y []float64) bool {
	for _, v := range y {
		if v != y[0] {
			return false
		}
	}
	return true
}
