package autodiff

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"

	"graft/onnx"
	"graft/runtime"
)

// attempts are where and how a gradient is held against differences: how far the recorded point is moved, so that it lies
// on no kink; the step, times the size of the input where that is over one; and how many elements move at once, 0 for all.
var attempts = []struct {
	jitter, step float64
	elements     int
}{{3e-2, 4e-3, 0}, {0, 4e-3, 0}, {3e-2, 4e-2, 0}, {3e-2, 2e-3, 4}, {0, 2e-3, 4}, {3e-2, 2e-2, 1}, {1e-1, 1e-3, 1}, {1e-1, 2e-4, 1}, {0, 2e-4, 1}}

// check compares the gradient with differences, which are wrong themselves where a kink lies within the step: one attempt in
// which everything agrees is enough. Where single elements move, there are many of them, and one in ten may meet a kink.
func (nc *nodeGradient) check() error {
	recorded := nc.point
	for _, v := range recorded {
		for i, x := range floats(v) { // casts record what is no number
			switch {
			case x-x == 0:
			case v.DType == onnx.Double:
				onnx.View[float64](v)[i] = 0.5
			default:
				v.Float32s()[i] = 0.5
			}
		}
	}
	var err error
	for i, a := range attempts {
		rng := rand.New(rand.NewPCG(1, uint64(i)))
		nc.point = map[string]*onnx.Tensor{}
		for _, name := range slices.Sorted(maps.Keys(recorded)) {
			nc.point[name] = moved(recorded[name], random(rng, recorded[name]), a.jitter)
		}
		e := nc.compare(rng, a.step, a.elements)
		if e == nil || errors.Is(e, errRefused) {
			return e
		}
		if err == nil || errors.Is(err, errNotFinite) {
			err = e
		}
	}
	return err
}

var errNotFinite = errors.New("not finite")

func (nc *nodeGradient) compare(rng *rand.Rand, step float64, elements int) error {
	y, err := nc.run(nc.session, nc.point)
	if err != nil {
		return fmt.Errorf("%w: %w", errNotRun, err)
	}
	seeds := map[string][]float64{}
	feeds := maps.Clone(nc.point)
	for _, name := range nc.ys {
		seeds[name] = random(rng, y[name])
		for i, v := range floats(y[name]) {
			if v-v != 0 { // an attention score that a mask takes away
				seeds[name][i] = 0
			}
		}
		seed := onnx.NewTensor(y[name].DType, y[name].Dims...)
		feeds["seed of "+name] = moved(seed, seeds[name], 1)
		seeds[name] = floats(feeds["seed of "+name])
	}
	session, err := runtime.Open(nc.backward, nc.options)
	if err != nil {
		return fmt.Errorf("gradient: %w", err)
	}
	defer session.Close()
	for name := range feeds {
		if !slices.ContainsFunc(session.Inputs(), func(p runtime.Port) bool { return p.Name == name }) {
			delete(feeds, name)
		}
	}
	grads, err := nc.run(session, feeds)
	if err != nil {
		return fmt.Errorf("gradient: %w", err)
	}
	for _, name := range nc.xs {
		d := difference{nc, name, floats(grads["gradient of "+name]), seeds, elements}
		if err := d.compare(rng, step); err != nil {
			return fmt.Errorf("input %s: %w", name, err)
		}
	}
	return nil
}

// difference is the comparison for one input.
type difference struct {
	*nodeGradient
	name     string
	gradient []float64
	seeds    map[string][]float64
	elements int
}

func (d difference) compare(rng *rand.Rand, h float64) error {
	x := d.point[d.name]
	if int64(len(d.gradient)) != x.Len() {
		return fmt.Errorf("the gradient has %d elements of %d", len(d.gradient), x.Len())
	}
	if !finite(d.gradient) {
		return fmt.Errorf("gradient: %w", errNotFinite)
	}
	tolerance := 2e-3
	if d.double {
		tolerance, h = 1e-6, h/40
	}
	size := length(d.gradient)
	typical := size / math.Sqrt(float64(max(len(d.gradient), 1))) // of one element
	h *= math.Max(1, length(floats(x))/math.Sqrt(float64(max(x.Len(), 1))))
	trials, kinks := 2, 0
	if d.elements > 0 {
		trials, kinks = 40, 4
	}
	for range trials {
		direction := random(rng, x)
		if d.elements > 0 {
			size = typical
			keep := map[int]bool{}
			for range d.elements {
				keep[rng.IntN(max(len(direction), 1))] = true
			}
			for i := range direction {
				if !keep[i] {
					direction[i] = 0
				} else {
					size = math.Hypot(size, d.gradient[i])
				}
			}
		}
		far, want, err := d.along(direction, h)
		if err != nil {
			return err
		}
		near, _, err := d.along(direction, h/2)
		if err != nil {
			return err
		}
		off := (4*near - far) / 3
		if math.Abs(off) <= tolerance*math.Max(math.Abs(want), math.Max(size, 1e-2)) {
			continue
		}
		if kinks--; kinks < 0 {
			return fmt.Errorf("%g by differences, the rule is off by %g (gradient of length %g)", want, off, size)
		}
	}
	return nil
}

// along is by how much the rule and the differences along a direction differ, and what the differences give.
func (d difference) along(direction []float64, h float64) (off, want float64, err error) {
	x := d.point[d.name]
	feeds := maps.Clone(d.point)
	var at [2]map[string]*onnx.Tensor
	var from [2][]float64
	for i, s := range []float64{h, -h} {
		feeds[d.name] = moved(x, direction, s)
		from[i] = floats(feeds[d.name])
		if at[i], err = d.run(d.session, feeds); err != nil {
			return 0, 0, err
		}
	}
	for _, y := range d.ys {
		up, down := floats(at[0][y]), floats(at[1][y])
		for i, s := range d.seeds[y] {
			if s != 0 && i < len(up) && i < len(down) && up[i] != down[i] {
				want += s * (up[i] - down[i])
			}
		}
	}
	rule := 0.0
	for i, g := range d.gradient {
		rule += g * (from[0][i] - from[1][i]) // what the steps came to after rounding
	}
	return (rule - want) / (2 * h), want / (2 * h), nil
}

func length(v []float64) float64 {
	sum := 0.0
	for _, x := range v {
		sum += x * x
	}
	return math.Sqrt(sum)
}
