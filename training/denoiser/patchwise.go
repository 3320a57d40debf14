package denoiser

import (
	"runtime"
	"sync"

	"graft/training/signal"
)

// patchwise is the mean of what a filter makes of the patches of a plane, in which the plane itself counts as blend patches. Each
// worker has a filter of its own, which edits some patches in place; what it makes of one must not depend on the others. Patches are
// summed in their order, so that the result does not depend on the number of processors.
func patchwise(plane []float64, g *signal.Grid, blend float64, worker func() func(signal.Set)) []float64 {
	const chunk = 128
	n, count := g.Side*g.Side, g.Count()
	workers := max(1, min(runtime.GOMAXPROCS(0), (count+chunk-1)/chunk))
	wave := min(count, workers*4*chunk) // patches that are there at a time
	patches := signal.Set{Count: wave, Length: n, Values: make([]float64, wave*n)}
	filters := make([]func(signal.Set), workers)
	for i := range filters {
		filters[i] = worker()
	}
	sum := g.NewAverage()
	for first := 0; first < count; first += wave {
		there := min(wave, count-first)
		next := make(chan int)
		var wait sync.WaitGroup
		for _, filter := range filters {
			wait.Go(func() {
				for from := range next {
					part := patches.Part(from, min(from+chunk, there))
					for i := range part.Count {
						g.Patch(part.Row(i), plane, first+from+i)
					}
					filter(part)
				}
			})
		}
		for from := 0; from < there; from += chunk {
			next <- from
		}
		close(next)
		wait.Wait()
		for i := range there {
			sum.Add(first+i, patches.Row(i), 0)
		}
	}
	if blend > 0 {
		return sum.Blend(plane, blend)
	}
	return sum.Plane()
}

// opponentPlanes filters each plane of a picture, of three those of the opponent colour space, in which the weight is scaled as the
// noise is.
func opponentPlanes(y Planes, weight float64, filter func(plane []float64, weight float64) ([]float64, error)) (Planes, error) {
	z, weights := opponent(y, weight)
	plane := make([]float64, y.Height*y.Width)
	for c := range z.Channels {
		for i, v := range z.plane(c) {
			plane[i] = float64(v)
		}
		x, err := filter(plane, weights[c])
		if err != nil {
			return Planes{}, err
		}
		for i, v := range x {
			z.plane(c)[i] = float32(v)
		}
	}
	return natural(z), nil
}
