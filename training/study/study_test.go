package study

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"graft/onnx/atomicfile"
)

func open(t *testing.T, path, kind string, force bool) *Folder {
	t.Helper()
	f, err := Open(path, kind, force)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestCells(t *testing.T) {
	cells := Cross(Cross(nil, "method", "oes", "dense"), "sparsity", 0.5, 0.95)
	if len(cells) != 4 || cells[1].String() != "method=oes sparsity=0.95" || cells[1].Float("sparsity") != 0.95 || cells[0].Get("seed") != "" {
		t.Fatalf("%v", cells)
	}
	if got := Unique(append(cells, cells...)); len(got) != 4 {
		t.Errorf("%d cells of 4", len(got))
	}
	c := cells[1].With("seed", uint64(1<<63)).With("square", true).With("name", `a"b.png`)
	data, err := json.Marshal(c)
	if err != nil || string(data) != `{"method":"oes","sparsity":0.95,"seed":9223372036854775808,"square":true,"name":"a\"b.png"}` {
		t.Fatalf("%s, %v", data, err)
	}
	var back Cell
	if err := json.Unmarshal(data, &back); err != nil || back.Key() != c.Key() || back.Get("seed") != "9223372036854775808" || back.Get("square") != "true" {
		t.Errorf("%v, %v", back, err)
	}
	if cells[0].With("a", 1).Key() == cells[0].With("a", "1").Key() || cells[0].With("b", 1).Key() == cells[0].With("b", 2).Key() {
		t.Error("two cells have one key")
	}
	// With does not write into what another cell has.
	base := cells[0].With("x", 1)
	if one, two := base.With("y", 1), base.With("y", 2); one.Get("y") != "1" || two.Get("y") != "2" {
		t.Error("cells share their parameters")
	}
}

// TestRun: cells are run once, one that fails does not keep others from it, and a larger grid takes up what is done.
func TestRun(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	var ran atomic.Int64
	job := Job{Cells: Cross(nil, "i", 0, 1, 2, 3, 4, 5), Workers: 3, Do: func(_ context.Context, c Cell, work string) (any, error) {
		ran.Add(1)
		if err := os.MkdirAll(work, 0o755); err != nil {
			return nil, err
		}
		if c.Get("i") == "2" {
			return nil, errors.New("too hard")
		}
		return map[string]float64{"square": c.Float("i") * c.Float("i")}, nil
	}}
	told := 0
	job.Told = func(e Event) {
		if told++; e.Done != told || (e.Err != nil) != (e.Cell.Get("i") == "2") || (e.Err == nil) != (e.Record != nil) {
			t.Errorf("told %+v", e)
		}
	}
	f := open(t, dir, "squares", false)
	records, failures, err := f.Run(t.Context(), job)
	if err != nil || len(records) != 5 || len(failures) != 1 || failures[0].Cell.Get("i") != "2" || ran.Load() != 6 || told != 6 {
		t.Fatalf("%d records, %v, %v; %d ran", len(records), failures, err, ran.Load())
	}
	if string(records[2].Results) != `{"square":9}` {
		t.Errorf("cells are out of order: %s", records[2].Results)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if !Done(dir, job.Cells[1]) || Done(dir, job.Cells[2]) {
		t.Error("what is done is not what ran")
	}

	f = open(t, dir, "squares", false)
	defer f.Close()
	job.Cells, job.Told = Cross(nil, "i", 7, 3, 1), nil
	records, failures, err = f.Run(t.Context(), job)
	if err != nil || len(records) != 3 || len(failures) != 0 || ran.Load() != 7 || string(records[0].Results) != `{"square":49}` {
		t.Errorf("%d records, %v, %v; %d ran", len(records), failures, err, ran.Load())
	}
}

// TestInterrupted: what ended before stays, the cell under way keeps its work folder and is run again.
func TestInterrupted(t *testing.T) {
	dir := t.TempDir()
	f := open(t, dir, "k", false)
	ctx, cancel := context.WithCancel(t.Context())
	job := Job{Cells: Cross(nil, "i", 0, 1, 2), Do: func(ctx context.Context, c Cell, work string) (any, error) {
		if c.Get("i") == "1" {
			if err := os.MkdirAll(work, 0o755); err != nil {
				return nil, err
			}
			if _, err := os.Stat(filepath.Join(work, "half")); err != nil {
				err := os.WriteFile(filepath.Join(work, "half"), nil, 0o644)
				cancel()
				return nil, errors.Join(ctx.Err(), err)
			}
			return map[string]bool{"resumed": true}, nil
		}
		return map[string]bool{"resumed": false}, nil
	}}
	if _, _, err := f.Run(ctx, job); !errors.Is(err, context.Canceled) {
		t.Fatalf("%v", err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	f = open(t, dir, "k", false)
	records, _, err := f.Run(t.Context(), job)
	if err != nil || len(records) != 3 || string(records[1].Results) != `{"resumed":true}` {
		t.Errorf("%v, %v", records, err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, workFolder)); err == nil {
		t.Error("the work folder stays when all is done")
	}
}

func TestFolder(t *testing.T) {
	dir := t.TempDir()
	f := open(t, dir, "k", false)
	if _, err := Open(dir, "k", true); !errors.Is(err, atomicfile.ErrLocked) {
		t.Errorf("a second run: %v", err)
	}
	c := Cell{{"i", 1}}
	if err := f.Store(&Record{Cell: c, Results: json.RawMessage(`{"a":1}`)}); err != nil {
		t.Fatal(err)
	}
	path := f.cellFile(c)
	for content, want := range map[string]string{
		"": "unexpected end",
		`{"parameters":{"i":2},"results":{},"seconds":1}`:  "another cell",
		`{"parameters":{"i":1},"results":[1],"seconds":1}`: "an object",
		strings.Repeat("[", 100_000):                       "cell",
	} {
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := f.Load(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v", content, err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, "other", true); !errors.Is(err, ErrKind) {
		t.Errorf("another study: %v", err)
	}
	foreign := t.TempDir()
	if err := os.WriteFile(filepath.Join(foreign, "mine.txt"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(foreign, "k", false); !errors.Is(err, ErrOther) {
		t.Errorf("another's folder: %v", err)
	}
	if err := open(t, foreign, "k", true).Close(); err != nil {
		t.Error(err)
	}
	if _, err := Open(filepath.Join(foreign, "mine.txt"), "k", true); err == nil {
		t.Error("a file is no folder")
	}
}

func TestEstimates(t *testing.T) {
	if e := Mean([]float64{1, 2, 3, 6}); e.Mean != 3 || math.Abs(*e.SE-math.Sqrt(14./3/4)) > 1e-12 || e.N != 4 {
		t.Errorf("%+v", e)
	}
	if e := Mean([]float64{2}); e.Mean != 2 || e.SE != nil {
		t.Errorf("%+v", e)
	}
	if Mean(nil) != nil {
		t.Error("a mean of nothing")
	}
	a, b := map[string]float64{}, map[string]float64{}
	var keys []string
	for i := range 5 {
		k := fmt.Sprint(i)
		keys = append(keys, k)
		a[k] = float64(i) + 1
		if i > 0 {
			b[k] = float64(2 * i)
		}
	}
	if e := Paired(a, b, keys); e.N != 4 || e.Mean != -1.5 || e.Above != 0 {
		t.Errorf("%+v", e)
	}
	if Paired(a, nil, keys) != nil {
		t.Error("pairs of nothing")
	}
}
