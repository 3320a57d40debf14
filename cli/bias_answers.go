package cli

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"graft/cli/outdir"
	"graft/training/metric/bias"
)

// biasWork is the folder of a report in the making. What models answer is kept in it, so that a run that was cut off goes on.
type biasWork struct {
	call *call
	dir  *outdir.Dir // nil before begin
	open []*bias.Answers
}

// answersFiles are the files of answers, one for each model.
const answersFiles = "answers-*.jsonl"

// biasWork is nil where nothing is written. What is refused before a model is asked leaves no trace.
func (c *call) biasWork() *biasWork {
	if c.Out() == "" || c.Common.DryRun {
		return nil
	}
	return &biasWork{call: c}
}

// begin makes the folder, or takes over that of a run that was cut off.
func (w *biasWork) begin() (err error) {
	if w.dir != nil {
		return nil
	}
	if w.dir, err = outdir.Resume(w.call.Out(), w.call.Common.Force); err != nil {
		return folderError(w.call.Out(), err)
	}
	return nil
}

// keep has the answers of a model kept, and takes up those that it gave before. Whose they are is told by all that the model is made of
// and by where it runs.
func (w *biasWork) keep(m *biasModel) error {
	if w == nil {
		return nil
	}
	if err := w.begin(); err != nil {
		return err
	}
	h := sha256.New()
	if err := m.network.EncodeTo(h); err != nil {
		return refused(m.about.Path, err)
	}
	provider := w.call.runtimeOptions().Provider
	if _, err := fmt.Fprintf(h, "\nprovider %s\n", provider); err != nil {
		return err
	}
	name := hex.EncodeToString(h.Sum(nil))
	a, err := bias.OpenAnswers(w.dir.File("answers-"+name[:16]+".jsonl"), name)
	if err != nil {
		return folderError(w.call.Out(), err)
	}
	w.open = append(w.open, a)
	m.session.Answers = a
	if a.Found() > 0 {
		w.call.Say("%s: goes on behind %d answers of the run that was cut off", m.about.Path, a.Found())
	}
	return nil
}

// leave ends a run that failed. Its answers stay.
func (w *biasWork) leave(err error) error {
	if w == nil || w.dir == nil {
		return err
	}
	kept := 0
	for _, a := range w.open {
		kept += a.Kept()
		err = errors.Join(err, a.Close())
	}
	if kept == 0 && !w.dir.Resumed() {
		return errors.Join(err, w.dir.Abort())
	}
	w.call.Say("%d answers are kept in %s: the same command goes on from there", kept, w.dir.File(""))
	return errors.Join(err, w.dir.Suspend())
}

// finish takes the answers out of the folder and puts it in its place.
func (w *biasWork) finish() error {
	for _, a := range w.open {
		if err := a.Close(); err != nil {
			return err
		}
	}
	w.open = nil
	files, err := filepath.Glob(w.dir.File(answersFiles))
	if err != nil {
		return err
	}
	for _, file := range files {
		if err := os.Remove(file); err != nil {
			return folderError(w.call.Out(), err)
		}
	}
	if err := w.dir.Commit(); err != nil {
		return folderError(w.call.Out(), err)
	}
	return nil
}
