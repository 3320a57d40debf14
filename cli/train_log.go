package cli

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"

	"graft/onnx/limits"
)

// trainLog writes a line of JSON for every step. A step's line is written when the next one begins, for an evaluation adds to
// it. A nil log does nothing.
type trainLog struct {
	path    string
	file    *os.File
	w       *bufio.Writer
	pending *logLine
	err     error // the first
}

type logLine struct {
	Step     int64    `json:"step"`
	Epoch    int64    `json:"epoch"`
	Loss     float64  `json:"loss"`
	Rate     float64  `json:"lr"`
	Eval     *float64 `json:"eval_loss,omitempty"`
	Accuracy *float64 `json:"accuracy,omitempty"`
	Average  bool     `json:"eval_average,omitempty"` // eval_loss and accuracy are of the moving average
	Sparsity *float64 `json:"sparsity,omitempty"`
	Seconds  float64  `json:"seconds"`
}

// mayLog refuses a log that may not be written.
func (r *trainRun) mayLog() error {
	if r.Text("log") == "" {
		return nil
	}
	return mayWrite(r.Text("log"), r.Common.Force || r.from.Steps > 0)
}

// openLog begins the log, or goes on behind the line of the step that the checkpoint is of.
func (r *trainRun) openLog() error {
	path := r.Text("log")
	if path == "" {
		return nil
	}
	keep := int64(0)
	var err error
	if r.from.Steps > 0 {
		if keep, err = linesUntil(path, r.from.Steps); err != nil {
			return &Error{File: path, Err: err}
		}
	}
	file, err := openLog(path, keep)
	if err != nil {
		return &Error{File: path, Err: err, Code: exitEnvironment}
	}
	r.log = &trainLog{path: path, file: file, w: bufio.NewWriter(file)}
	return nil
}

// openLog opens a log behind its first bytes. With none to keep it is a new file, whatever had the name; else it is the regular
// file of that name, which has no other one.
func openLog(path string, keep int64) (*os.File, error) {
	if keep == 0 {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	}
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return nil, err
	}
	opened, err := file.Stat()
	named, lerr := os.Lstat(path)
	switch err = errors.Join(err, lerr); {
	case err != nil:
	case !os.SameFile(opened, named) || !opened.Mode().IsRegular() || limits.HardLinks(file, opened) > 1:
		err = errors.New("the log is a link to another file")
	default:
		if err = file.Truncate(keep); err == nil {
			_, err = file.Seek(keep, io.SeekStart)
		}
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

// linesUntil is the length of the part of a log that has whole lines of steps up to the given one.
func linesUntil(path string, step int64) (int64, error) {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer file.Close()
	lines := bufio.NewReader(file)
	for length := int64(0); ; {
		text, err := lines.ReadSlice('\n')
		if err != nil { // the end, or what is no line of a log
			return length, nil
		}
		var line logLine
		if json.Unmarshal(text, &line) != nil || line.Step < 1 || line.Step > step {
			return length, nil
		}
		length += int64(len(text))
	}
}

func (l *trainLog) step(h trainLine, epoch int64) {
	if l == nil {
		return
	}
	l.write()
	l.pending = &logLine{Step: h.Step, Epoch: epoch, Loss: h.Loss, Rate: h.Rate, Seconds: h.Seconds}
}

func (l *trainLog) visit(step int64, eval *trainMark, sparsity *float64) {
	if l == nil || l.pending == nil || l.pending.Step != step {
		return
	}
	l.pending.Sparsity = sparsity
	if eval != nil {
		l.pending.Eval, l.pending.Accuracy, l.pending.Average = &eval.Loss, eval.Accuracy, eval.Average
	}
}

// write puts the waiting line out.
func (l *trainLog) write() {
	if l.pending == nil || l.err != nil {
		return
	}
	data, err := json.Marshal(l.pending)
	if err == nil {
		_, err = l.w.Write(append(data, '\n'))
	}
	l.err, l.pending = err, nil
}

// flush brings the lines to the file, the waiting one included.
func (l *trainLog) flush() error {
	if l == nil {
		return nil
	}
	l.write()
	if l.err == nil {
		l.err = l.w.Flush()
	}
	if l.err != nil {
		return &Error{File: l.path, Err: l.err, Code: exitEnvironment}
	}
	return nil
}

func (l *trainLog) close() error {
	if l == nil || l.file == nil {
		return nil
	}
	err := l.flush()
	if closed := l.file.Close(); err == nil && closed != nil {
		err = &Error{File: l.path, Err: closed, Code: exitEnvironment}
	}
	l.file = nil
	return err
}
