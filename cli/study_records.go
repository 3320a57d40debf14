package cli

import (
	"encoding/json"
	"fmt"
	"math"

	"graft/training/study"
)

// resultOf reads what a record's cell came to.
func resultOf[T any](r *study.Record) (T, error) {
	var out T
	if err := json.Unmarshal(r.Results, &out); err != nil {
		return out, fmt.Errorf("cell %s: %w", r.Cell, err)
	}
	return out, nil
}

// failedCell is a cell that came to nothing.
type failedCell struct {
	Cell   study.Cell `json:"cell"`
	Reason string     `json:"reason"`
}

// failedCells are those of a study.
func failedCells(done *studied) (list []failedCell) {
	for _, f := range done.Failures {
		list = append(list, failedCell{f.Cell, oneLine(f.Err.Error())})
	}
	return list
}

// meanOf is the mean of a number over the records that have it.
func meanOf[R any](records []R, number func(R) *float64) *study.Estimate {
	var values []float64
	for _, r := range records {
		if x := number(r); x != nil {
			values = append(values, *x)
		}
	}
	return study.Mean(values)
}

// pairedOf is the mean difference of a number between records of the same key, where both have it and it is finite.
func pairedOf[R any](a, b []R, key func(R) string, number func(R) *float64) *study.Estimate {
	values := func(records []R) (map[string]float64, []string) {
		by, keys := map[string]float64{}, []string(nil)
		for _, r := range records {
			if x := number(r); x != nil && !math.IsInf(*x, 0) && !math.IsNaN(*x) {
				by[key(r)] = *x
				keys = append(keys, key(r))
			}
		}
		return by, keys
	}
	x, keys := values(a)
	y, _ := values(b)
	return study.Paired(x, y, keys)
}
