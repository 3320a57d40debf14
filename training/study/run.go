package study

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"sync"
	"time"
)

// Job is what is to be run in a folder.
type Job struct {
	Cells   []Cell
	Workers int // cells at once; 0: one
	// Do runs a cell; what it returns is written as JSON. work is a folder of the cell's own, made when first written to, which
	// is there again when the cell was cut off.
	Do func(ctx context.Context, c Cell, work string) (any, error)
	// Told hears of every cell in the order in which they end, one at a time; nil: nobody.
	Told func(Event)
}

// Event is a cell that has ended.
type Event struct {
	Cell   Cell
	Record *Record // nil: it failed with Err
	Err    error
	Found  bool // it was done before
	Done   int  // cells that have ended, this one among them
}

// Failure is a cell that could not be run.
type Failure struct {
	Cell Cell
	Err  error
}

// Run does the cells that are not done, and gives the records of all that are, in the cells' order. A cell that fails does not
// keep the others from running; err is that the run itself came to an end: it was interrupted, or a result cannot be written.
func (f *Folder) Run(ctx context.Context, j Job) (records []*Record, failures []Failure, err error) {
	r := &run{Folder: f, Job: j, all: make([]*Record, len(j.Cells)), errs: make([]error, len(j.Cells))}
	var todo []int
	for i, c := range j.Cells {
		if r.all[i], err = f.Load(c); err != nil {
			return nil, nil, err
		}
		if r.all[i] != nil {
			r.tell(i, true)
		} else {
			todo = append(todo, i)
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	next := make(chan int)
	var workers sync.WaitGroup
	for range max(1, min(j.Workers, len(todo))) {
		workers.Go(func() {
			for i := range next {
				if err := r.one(ctx, i); err != nil {
					r.stop(err)
					cancel()
				}
			}
		})
	}
	for _, i := range todo {
		select {
		case next <- i:
			continue
		case <-ctx.Done():
		}
		break
	}
	close(next)
	workers.Wait()
	for i, record := range r.all {
		if record != nil {
			records = append(records, record)
		} else if r.errs[i] != nil {
			failures = append(failures, Failure{j.Cells[i], r.errs[i]})
		}
	}
	if r.fatal == nil {
		r.fatal = ctx.Err()
	}
	return records, failures, r.fatal
}

type run struct {
	*Folder
	Job
	mu    sync.Mutex
	all   []*Record
	errs  []error
	done  int
	fatal error
}

// one runs a cell. Its error ends the run.
func (r *run) one(ctx context.Context, i int) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	c, begun := r.Cells[i], time.Now()
	results, err := r.Do(ctx, c, r.work(c))
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		r.errs[i] = err
		r.tell(i, false)
		return nil
	}
	data, err := json.Marshal(results)
	if err != nil {
		return fmt.Errorf("cell %s: %w", c, err)
	}
	record := &Record{Cell: c, Results: data, Seconds: math.Round(time.Since(begun).Seconds()*100) / 100}
	if err := r.Store(record); err != nil {
		return err
	}
	if err := os.RemoveAll(r.work(c)); err != nil {
		return err
	}
	r.all[i] = record
	r.tell(i, false)
	return nil
}

func (r *run) tell(i int, found bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.done++
	if r.Told != nil {
		r.Told(Event{r.Cells[i], r.all[i], r.errs[i], found, r.done})
	}
}

// stop notes why the run ends; the first reason that is not the ending itself counts.
func (r *run) stop(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fatal == nil || errors.Is(r.fatal, context.Canceled) && !errors.Is(err, context.Canceled) {
		r.fatal = err
	}
}
