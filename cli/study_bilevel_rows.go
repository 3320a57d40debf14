package cli

import (
	"bytes"
	"fmt"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"slices"

	"gonum.org/v1/gonum/floats"

	"graft/cli/report"
	"graft/onnx"
	"graft/onnx/safetensors"
	"graft/training/bilevel"
	"graft/training/study"
)

// differenceLikeness says how much the rows of W are first differences of neighbours, whose direction is (e_{i+1} - e_i)/√2.
type differenceLikeness struct {
	Cosine float64 `json:"cosine"` // the largest magnitude of a row's cosine with one, the mean over rows that are not 0
	Energy float64 `json:"energy"` // the largest part of a row's energy that lies in one, the mean over rows by their energy
}

// likeness is that of a W with n columns.
func likeness(w []float64, n int) *differenceLikeness {
	cosines, within, all, rows := 0.0, 0.0, 0.0, 0
	for ; len(w) >= n; w = w[n:] {
		row, most := w[:n], 0.0
		for i := range n - 1 {
			most = max(most, math.Abs(row[i+1]-row[i])/math.Sqrt2)
		}
		if energy := floats.Dot(row, row); energy > 0 {
			cosines += most / math.Sqrt(energy)
			within += most * most
			all += energy
			rows++
		}
	}
	if rows == 0 {
		return &differenceLikeness{}
	}
	return &differenceLikeness{Cosine: cosines / float64(rows), Energy: within / all}
}

// largestRows are the rows of the largest norm.
func largestRows(o *bilevel.Operator, most int) [][]float64 {
	norms, order := make([]float64, o.Rows()), make([]int, o.Rows())
	for i := range norms {
		norms[i] = -floats.Norm(o.Row(i), 2)
	}
	floats.Argsort(norms, order)
	var rows [][]float64
	for _, i := range order[:min(most, len(order))] {
		rows = append(rows, o.Row(i))
	}
	return rows
}

// drawnSteps are the steps at which W is drawn, and the last: four times as many each time.
func drawnSteps(steps int) []int {
	list := []int{0}
	for _, part := range []int{64, 16, 4, 1} {
		if at := steps / part; !slices.Contains(list, at) {
			list = append(list, at)
		}
	}
	return list
}

// keptFile is where what a cell has learned is kept.
func keptFile(c study.Cell, end string) string { return filepath.Join("cells", c.Key()+end) }

func drawnFile(c study.Cell, step int) string { return keptFile(c, fmt.Sprintf("-%d.png", step)) }

// draw keeps a picture of W: rows that are patches as tiles, signals as strips.
func (s *bilevelStudy) draw(c study.Cell, step int, w []float64, folder *study.Folder) error {
	height, width, across, scale := 1, s.Int("length"), 4, 2
	if side := int(math.Sqrt(float64(width))); side*side == width && (c.Get("signals") == kindPictures || c.Get("signals") == "constant-patch") {
		height, width, across, scale = side, side, 16, 3
	}
	picture, err := bilevel.Picture(w, height, width, across, scale)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := png.Encode(&b, picture); err != nil {
		return err
	}
	return folder.WriteFile(drawnFile(c, step), b.Bytes())
}

// keepOperator writes W and β, as build analysis --operator reads them.
func (s *bilevelStudy) keepOperator(c study.Cell, o *bilevel.Operator, beta float64, folder *study.Folder) error {
	w := onnx.FromSlice(o.W(), int64(o.Rows()), int64(o.Cols()))
	w.Name = tensorOperator
	b := onnx.FromSlice([]float64{beta}, 1)
	b.Name = tensorBeta
	var data bytes.Buffer
	if err := safetensors.Write(&data, []*onnx.Tensor{w, b}, map[string]string{"cell": c.String()}); err != nil {
		return err
	}
	return folder.WriteFile(keptFile(c, ".safetensors"), data.Bytes())
}

// operatorPictures are those of a cell's W over training, as far as they are there.
func (s *bilevelStudy) operatorPictures(r studyRecord[bilevelResult]) (list []report.Picture) {
	for _, step := range r.Result.Drawn {
		if data, err := os.ReadFile(filepath.Join(s.Out(), drawnFile(r.Cell, step))); err == nil {
			list = append(list, report.Picture{Caption: fmt.Sprintf("W after %d steps", step), PNG: data})
		}
	}
	return list
}
