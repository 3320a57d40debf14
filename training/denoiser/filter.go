package denoiser

import (
	"fmt"
	"runtime"
	"sync"

	"graft/training/signal"
)

// Each removes noise from all signals of a set.
func (f LineFilter) Each(s signal.Set, weight float64) (signal.Set, error) {
	out, err := signal.NewSet(s.Count, s.Length)
	if err != nil {
		return signal.Set{}, err
	}
	errs := make([]error, s.Count)
	share(s.Count, func(from, to int) {
		for i := from; i < to && errs[from] == nil; i++ {
			x, err := f(s.Row(i), weight)
			copy(out.Row(i), x)
			errs[from] = err
		}
	})
	for i, err := range errs {
		if err != nil {
			return signal.Set{}, fmt.Errorf("signals from %d on: %w", i, err)
		}
	}
	return out, nil
}

// Patches is the filter for signals that are square pictures, row by row, as signal.ConstantPatch makes them.
func (f PictureFilter) Patches(side int) LineFilter {
	return func(y []float64, weight float64) ([]float64, error) {
		if side < 1 || len(y) != side*side {
			return nil, fmt.Errorf("a signal of %d samples is no patch of %dx%d", len(y), side, side)
		}
		p := Planes{Pix: make([]float32, len(y)), Channels: 1, Height: side, Width: side}
		for i, v := range y {
			p.Pix[i] = float32(v)
		}
		z, err := f(p, weight)
		if err != nil {
			return nil, err
		}
		x := make([]float64, len(y))
		for i, v := range z.Pix {
			x[i] = float64(v)
		}
		return x, nil
	}
}

// share has parts of n things done by all processors.
func share(n int, do func(from, to int)) {
	workers := max(1, min(runtime.GOMAXPROCS(0), n))
	var wait sync.WaitGroup
	for k := range workers {
		wait.Go(func() { do(k*n/workers, (k+1)*n/workers) })
	}
	wait.Wait()
}

// Tune finds the weight at which the filter's mean squared error on noisy signals is least.
func (f LineFilter) Tune(clean, noisy signal.Set, s Search) (Tuned, error) {
	return Tune(s, func(weight float64) (float64, error) {
		x, err := f.Each(noisy, weight)
		return signal.MSE(x, clean), err
	})
}

// Tune finds the weight at which the filter's mean squared error on noisy pictures, by samples of all of them, is least.
func (f PictureFilter) Tune(clean, noisy []Planes, s Search) (Tuned, error) {
	if len(clean) != len(noisy) {
		return Tuned{}, fmt.Errorf("tune a weight: %d clean pictures, %d noisy ones", len(clean), len(noisy))
	}
	return Tune(s, func(weight float64) (float64, error) {
		sum, n := 0.0, 0
		for i, y := range noisy {
			if len(clean[i].Pix) != len(y.Pix) {
				return 0, fmt.Errorf("picture %d: %d clean samples, %d noisy ones", i, len(clean[i].Pix), len(y.Pix))
			}
			x, err := f(y, weight)
			if err != nil {
				return 0, fmt.Errorf("picture %d: %w", i, err)
			}
			for j, v := range x.Pix {
				d := float64(v) - float64(clean[i].Pix[j])
				sum += d * d
			}
			n += len(y.Pix)
		}
		return sum / float64(n), nil
	})
}
