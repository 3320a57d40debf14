package cli

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"graft/onnx/atomicfile"
	"graft/training"
	"graft/training/study"
)

// studyKind is a published system's study: a row of studyKinds, which becomes a verb below study.
type studyKind struct {
	name, short, long string
	examples          []string
	flags             []cli.Flag
	plan              func(*call) (experiment, error)
}

// studyKinds lists the studies.
var studyKinds = []studyKind{studyOES, studyMomentum, studyPacBayes, studyBilevel, studyProSocial}

// experiment is a study that has been set up: its inputs are read, nothing is written.
type experiment interface {
	// Cells are the cells of the grid, in the order in which they are run.
	Cells() []study.Cell
	// Cost says how long the cells take that are not done; it may run a little to find out.
	Cost(ctx context.Context, todo []study.Cell) (studyCost, error)
	// Run does a cell; what it returns becomes an object of JSON.
	Run(ctx context.Context, c study.Cell, work string, folder *study.Folder) (any, error)
	// Line is what a finished cell is told as.
	Line(r *study.Record) string
	// Finish gives the summary, what is printed, and further files of the folder.
	Finish(s *studied) (*studyResult, error)
}

// follower is an experiment that has more cells once those before are done.
type follower interface {
	// More are cells that follow from what was done; those that are among them already count once.
	More(done []*study.Record) ([]study.Cell, error)
}

// studied is a study that has been run.
type studied struct {
	Records  []*study.Record
	Failures []study.Failure
}

// studyResult is what a study has come to.
type studyResult struct {
	Summary any
	Tables  []table
	Lines   []string
	Files   map[string][]byte
	No      string // the answer is no, and why; "" otherwise
}

var studyVerb = verb{name: "study", short: "run a published comparison: methods, pictures and seeds, with its report", subs: studySubs()}

func studySubs() []verb {
	subs := make([]verb, len(studyKinds))
	for i, k := range studyKinds {
		subs[i] = verb{name: k.name, short: k.short, long: k.long, examples: k.examples, groups: runsModel | writes | trains,
			flags: append(slices.Clone(k.flags),
				integer("jobs", "N", 1, 256, 1, "cells at once; --threads is for each of them").under("Run"),
				toggle("report", "run nothing: results and report of the cells that are done").under("Run"),
			),
			run: func(c *call) error { return runStudy(c, k) }}
	}
	return subs
}

// runStudy is the frame that studies share: cost, cells, results.
func runStudy(c *call, k studyKind) error {
	if c.Out() == "" {
		return misuse("study %s needs --out DIR, the folder that cells and results go to", k.name)
	}
	e, err := k.plan(c)
	if err != nil {
		return err
	}
	cells := e.Cells()
	var todo, done []study.Cell
	for _, cell := range cells {
		if study.Done(c.Out(), cell) {
			done = append(done, cell)
		} else {
			todo = append(todo, cell)
		}
	}
	if c.Bool("report") {
		if len(done) == 0 {
			return refused(c.Out(), fmt.Errorf("none of %s is done", counted(len(cells), "cell")))
		}
		c.Say("%d of %s are not done", len(todo), counted(len(cells), "cell"))
		cells, todo = done, nil
	}
	cost, err := e.Cost(c.Context(), todo)
	if err != nil {
		return gradeStudy(c, err)
	}
	cost.Cells, cost.Found = len(cells), len(cells)-len(todo)
	if c.Common.DryRun {
		c.JSON(cost)
		c.Print("%s", cost)
		return nil
	}
	c.Say("%s", cost)
	folder, err := study.Open(c.Out(), k.name, c.Common.Force)
	if err != nil {
		return studyFolderError(c.Out(), err)
	}
	result, err := workStudy(c, e, cells, folder, cost)
	if closed := folder.Close(); err == nil && closed != nil {
		return environment(closed, "")
	}
	if err != nil {
		return gradeStudy(c, err)
	}
	for _, t := range result.Tables {
		c.Table(t)
	}
	for _, line := range result.Lines {
		c.Print("%s", line)
	}
	if result.No != "" {
		return no(result.No)
	}
	return nil
}

func workStudy(c *call, e experiment, cells []study.Cell, folder *study.Folder, cost studyCost) (*studyResult, error) {
	run := func() ([]*study.Record, []study.Failure, error) {
		told := newTeller(c, e, cells, cost)
		return folder.Run(c.Context(), study.Job{Cells: cells, Workers: c.Int("jobs"), Told: told.tell,
			Do: func(ctx context.Context, cell study.Cell, work string) (any, error) {
				return runCell(ctx, e, cell, work, folder)
			}})
	}
	records, failures, err := run()
	if f, ok := e.(follower); ok && err == nil {
		if cells, cost, err = follow(c, e, f, cells, records); err == nil {
			records, failures, err = run()
		}
	}
	if err != nil {
		return nil, err
	}
	result, err := e.Finish(&studied{records, failures})
	if err != nil {
		return nil, err
	}
	document, err := studyDocument(records, result.Summary)
	if err != nil {
		return nil, err
	}
	c.JSON(document)
	files := map[string][]byte{}
	if files["results.csv"], err = studyTable(records); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := writeJSON(&b, document); err != nil {
		return nil, err
	}
	files["results.json"] = b.Bytes()
	for name, data := range result.Files {
		files[name] = data
	}
	for name, data := range files {
		if err := folder.WriteFile(name, data); err != nil {
			return nil, err
		}
	}
	return result, nil
}

// runCell does a cell. What an earlier run, of another version, has left of it and nothing can go on from is taken away.
func runCell(ctx context.Context, e experiment, cell study.Cell, work string, folder *study.Folder) (any, error) {
	out, err := e.Run(ctx, cell, work, folder)
	if !errors.Is(err, training.ErrOtherStep) {
		return out, err
	}
	if err := os.RemoveAll(work); err != nil {
		return nil, err
	}
	return e.Run(ctx, cell, work, folder)
}

// follow adds the cells that follow from records, and says what they cost. A report takes those that are done.
func follow(c *call, e experiment, f follower, cells []study.Cell, records []*study.Record) ([]study.Cell, studyCost, error) {
	more, err := f.More(records)
	if err != nil {
		return nil, studyCost{}, err
	}
	if c.Bool("report") {
		more = slices.DeleteFunc(more, func(cell study.Cell) bool { return !study.Done(c.Out(), cell) })
	}
	before := len(cells)
	cells = study.Unique(slices.Concat(cells, more))
	var todo []study.Cell
	for _, cell := range cells[before:] {
		if !study.Done(c.Out(), cell) {
			todo = append(todo, cell)
		}
	}
	cost, err := e.Cost(c.Context(), todo)
	cost.Cells, cost.Found = len(cells), len(cells)-len(todo)
	if len(todo) > 0 && err == nil {
		c.Say("%s", cost)
	}
	return cells, cost, err
}

// gradeStudy gives an error its exit code.
func gradeStudy(c *call, err error) error {
	var known *Error
	if errors.As(err, &known) || c.Context().Err() != nil {
		return err
	}
	return runtimeError(err, c.Out())
}

// studyFolderError says what to do about a folder that a study cannot have.
func studyFolderError(dir string, err error) error {
	switch {
	case errors.Is(err, study.ErrOther):
		return &Error{File: dir, Err: err, Code: exitInput, Hint: "name another folder, or use --force: what is there stays beside the results"}
	case errors.Is(err, study.ErrKind):
		return &Error{File: dir, Err: err, Code: exitInput, Hint: "name another folder"}
	case errors.Is(err, atomicfile.ErrLocked):
		return &Error{File: dir, Err: err, Code: exitEnvironment, Hint: "wait for it, or name another folder"}
	}
	return folderError(dir, err)
}

// studyDocument is results.json: for every cell an object of its parameters, its results and its time, and the summary.
func studyDocument(records []*study.Record, summary any) (any, error) {
	cells := make([]json.RawMessage, len(records))
	for i, r := range records {
		fields, err := recordFields(r)
		if err != nil {
			return nil, err
		}
		var b bytes.Buffer
		for j, f := range fields {
			name, err := json.Marshal(f.Name)
			if err != nil {
				return nil, err
			}
			b.WriteByte("{,"[min(j, 1)])
			b.Write(name)
			b.WriteByte(':')
			b.Write(f.Value)
		}
		b.WriteByte('}')
		cells[i] = b.Bytes()
	}
	return struct {
		Cells   []json.RawMessage `json:"cells"`
		Summary any               `json:"summary"`
	}{cells, summary}, nil
}

// recordFields are parameters, results and seconds of a record.
func recordFields(r *study.Record) ([]study.Field, error) {
	parameters, err := r.Cell.MarshalJSON()
	if err != nil {
		return nil, err
	}
	fields, err := study.Fields(parameters)
	if err != nil {
		return nil, err
	}
	results, err := study.Fields(r.Results)
	if err != nil {
		return nil, err
	}
	seconds, err := json.Marshal(r.Seconds)
	return append(append(fields, results...), study.Field{Name: "seconds", Value: seconds}), err
}

// studyTable is results.csv: a row for each cell, a column for each number and text.
func studyTable(records []*study.Record) ([]byte, error) {
	var head []string
	rows := make([]map[string]string, len(records))
	for i, r := range records {
		fields, err := recordFields(r)
		if err != nil {
			return nil, err
		}
		rows[i] = map[string]string{}
		at := 0 // where a column that is new goes: behind the one before
		for _, f := range fields {
			if !f.Scalar() {
				continue
			}
			rows[i][f.Name] = f.Text()
			if known := slices.Index(head, f.Name); known >= 0 {
				at = known + 1
				continue
			}
			head = slices.Insert(head, at, f.Name)
			at++
		}
	}
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	_ = w.Write(head) // a buffer takes everything
	for _, row := range rows {
		line := make([]string, len(head))
		for i, name := range head {
			line[i] = spreadsheetSafe(row[name])
		}
		_ = w.Write(line)
	}
	w.Flush()
	return b.Bytes(), w.Error()
}

// spreadsheetSafe keeps a name of a file from being taken for a formula.
func spreadsheetSafe(s string) string {
	if s != "" && strings.ContainsRune("=+@", rune(s[0])) {
		return "'" + s
	}
	return s
}
