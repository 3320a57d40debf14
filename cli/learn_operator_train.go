package cli

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"image/png"
	"io/fs"
	"os"
	"slices"
	"strconv"

	"graft/training/bilevel"
)

// operatorCheckpoint is the state of the training in the work folder.
const operatorCheckpoint = "checkpoint.safetensors"

// operatorStep is a line of history.csv.
type operatorStep struct {
	step       int
	loss, mean float64
	beta       float64
	ties, open int
	iterations int
}

var operatorHead = []string{"step", "loss", "mean_loss", "beta", "ties", "open", "iterations"}

// train learns W, or goes on. History and pictures are those of a run that nothing has cut off.
func (r *operatorRun) train() error {
	if err := r.readHistory(); err != nil {
		return err
	}
	config := r.config()
	begun, err := config.Form.Begin(config.Start, 1, config.Seed)
	if err != nil {
		return err
	}
	if err := r.draw(0, begun); err != nil {
		return err
	}
	draw, save := r.Int("draw-every"), r.Int("save-every")
	if draw == 0 {
		draw = max(1, r.steps/10)
	}
	first := 0
	r.trained, err = bilevel.Train(r.Context(), bilevel.Pairs{Noisy: r.data.noisy.Values, Truth: r.data.train.Values}, config, bilevel.Run{
		Checkpoint: r.dir.File(operatorCheckpoint), Every: save, Watch: func(s *bilevel.State) error {
			if first == 0 {
				if first = s.Step; first > 1 {
					r.Say("going on from step %d", first-1)
				}
				r.forget(first)
				r.Progress().Stage("learn", r.steps-first+1)
			}
			if kept(int64(s.Step)) || s.Step == r.steps {
				r.history = append(r.history, operatorStep{s.Step, s.Loss, s.Mean, s.Beta, s.Ties, s.Open, s.Iterations})
			}
			r.Progress().Step(s.Step-first+1, fmt.Sprintf("mean squared error %.4g", s.Mean))
			if s.Step%draw == 0 || s.Step == r.steps {
				if err := r.draw(s.Step, s.Parameters); err != nil {
					return err
				}
			}
			if s.Step%save == 0 || s.Step == r.steps { // before the checkpoint: lines behind it are cut off again, lines before it must be there
				return r.writeHistory()
			}
			return nil
		}})
	if err != nil {
		return errors.Join(err, r.writeHistory())
	}
	return nil
}

// tiles are the rows of W as a picture has them: of a convolution the filters.
func (r *operatorRun) tiles() (height, width int) {
	height, width = 1, r.data.train.Length
	if side := r.data.side; side > 0 {
		height, width = side, side
	}
	if f, is := r.form.(bilevel.Convolution); is {
		if width = f.Width; height > 1 {
			height = f.Width
		}
	}
	return height, width
}

// drawnRows is how many rows a picture has at most.
const drawnRows = 256

// rowsPNG draws the parameters of the form.
func (r *operatorRun) rowsPNG(parameters []float64) ([]byte, error) {
	height, width := r.tiles()
	most := drawnRows * height * width
	across, scale := 8, max(1, 40/width)
	if height == 1 {
		across, scale = 4, max(1, 192/width)
	}
	m, err := bilevel.Picture(parameters[:min(len(parameters), most)], height, width, across, scale)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = png.Encode(&b, m)
	return b.Bytes(), err
}

// drawnAt is the picture of a step.
func drawnAt(step int) string { return fmt.Sprintf("rows/%08d.png", step) }

func (r *operatorRun) draw(step int, parameters []float64) error {
	data, err := r.rowsPNG(parameters)
	if err != nil {
		return err
	}
	for _, name := range []string{drawnAt(step), operatorPicture} {
		if err := r.dir.WriteFile(name, data); err != nil {
			return folderError(r.Out(), err)
		}
	}
	return nil
}

// forget drops what the history has of steps that are taken again.
func (r *operatorRun) forget(from int) {
	for n := len(r.history); n > 0 && r.history[n-1].step >= from; n-- {
		r.history = r.history[:n-1]
	}
}

func (r *operatorRun) historyCSV() []byte {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	_ = w.Write(operatorHead) // a buffer takes everything
	number := func(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }
	for _, h := range r.history {
		_ = w.Write([]string{fmt.Sprint(h.step), number(h.loss), number(h.mean), number(h.beta), fmt.Sprint(h.ties), fmt.Sprint(h.open), fmt.Sprint(h.iterations)})
	}
	w.Flush()
	return b.Bytes()
}

func (r *operatorRun) writeHistory() error {
	if err := r.dir.WriteFile(historyFile, r.historyCSV()); err != nil {
		return folderError(r.Out(), err)
	}
	return nil
}

// readHistory reads what an earlier run has written.
func (r *operatorRun) readHistory() error {
	path := r.dir.File(historyFile)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return refused(path, err)
	}
	rows, err := csv.NewReader(bytes.NewReader(data)).ReadAll()
	if err != nil {
		return refused(path, err)
	}
	for i, row := range rows {
		var h operatorStep
		if i == 0 && slices.Equal(row, operatorHead) {
			continue
		}
		if len(row) != len(operatorHead) {
			return refused(path, fmt.Errorf("line %d is not what graft wrote: start again without --resume", i+1))
		}
		if _, err := fmt.Sscan(fmt.Sprint(row[0], " ", row[1], " ", row[2], " ", row[3], " ", row[4], " ", row[5], " ", row[6]), &h.step, &h.loss, &h.mean, &h.beta, &h.ties, &h.open, &h.iterations); err != nil {
			return refused(path, fmt.Errorf("line %d is not what graft wrote: start again without --resume", i+1))
		}
		r.history = append(r.history, h)
	}
	return nil
}
