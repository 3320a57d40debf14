package session

import (
	"context"

	"graft/training/metric/bias"
)

// asking is a list of questions on its way through a model.
type asking struct {
	model *Model
	name  func(i int) bias.Question
	out   [][]float64
	told  func(done int)
	done  int
}

// ask begins a list of n questions, and gives those that have no answer yet. width is how many numbers an answer has, -1: any.
func (m *Model) ask(n int, name func(int) bias.Question, width func(int) int, told func(int)) (a *asking, left []int) {
	a = &asking{model: m, name: name, out: make([][]float64, n), told: told}
	for i := range n {
		if m.Answers != nil {
			if known, ok := m.Answers.Answer(name(i)); ok && (width(i) < 0 || len(known) == width(i)) {
				a.out[i] = known
				a.done++
				continue
			}
		}
		left = append(left, i)
	}
	if a.done > 0 && told != nil {
		told(a.done)
	}
	return a, left
}

// each does batches, of which indexes are the questions that one answers, keeps the answers, and tells how far it is.
func each[T any](ctx context.Context, a *asking, batches []T, indexes func(T) []int, do func(T) error) error {
	for _, b := range batches {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := do(b); err != nil {
			return err
		}
		index := indexes(b)
		if kept := a.model.Answers; kept != nil {
			names, answers := make([]bias.Question, len(index)), make([][]float64, len(index))
			for k, i := range index {
				names[k], answers[k] = a.name(i), a.out[i]
			}
			if err := kept.Keep(names, answers); err != nil {
				return err
			}
		}
		if a.done += len(index); a.told != nil {
			a.told(a.done)
		}
	}
	return nil
}

func (b batch) indexes() []int { return b.index }
