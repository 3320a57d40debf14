package signal

import (
	"fmt"
	"math"

	"graft/onnx/noise"
)

// Config says which signals are made.
type Config struct {
	Count, Length int
	Seed          uint64
	Stream        string  // sets of other streams are other signals: "train", "test"
	Rate          float64 // of jumps, or of coefficients that are not zero, in (0, 1]; 0: 0.1
}

// Kind is one way to make signals: a row of Kinds.
type Kind struct {
	Name string
	Doc  string // one line
	Make func(Config) (Set, error)
}

// Kinds lists all there are.
var Kinds = []Kind{
	{"piecewise", "piecewise constant: a jump before a sample with probability Rate, heights uniform on (0, 1)", PiecewiseConstant},
	{"dct-sparse", "cosine series of which the fraction Rate of the coefficients is not zero, these uniform on (-1, 1)", CosineSparse},
	{"constant-patch", "square patches: half the sum of a piecewise constant signal of rows and one of columns", ConstantPatch},
}

// FindKind looks a kind up; the error lists the names there are.
func FindKind(name string) (Kind, error) {
	var names []string
	for _, k := range Kinds {
		if k.Name == name {
			return k, nil
		}
		names = append(names, k.Name)
	}
	return Kind{}, fmt.Errorf("no signals are called %q: there are %q", name, names)
}

// make fills each row of a new set from a stream of uniform numbers of its own.
func (c Config) make(what string, draws int, fill func(row []float64, rate float64, u []float32)) (Set, error) {
	rate := c.Rate
	if rate == 0 {
		rate = 0.1
	}
	if !(rate > 0 && rate <= 1) {
		return Set{}, fmt.Errorf("%s signals: rate %g, in (0, 1] is wanted", what, c.Rate)
	}
	s, err := NewSet(c.Count, c.Length)
	if err != nil {
		return Set{}, fmt.Errorf("%s signals: %w", what, err)
	}
	u := make([]float32, draws)
	for i := range s.Count {
		noise.Uniform(u, noise.NewKey(c.Seed, what+" "+c.Stream, uint64(i)))
		fill(s.Row(i), rate, u)
	}
	return s, nil
}

// steps fills a row with a piecewise constant signal: with probability rate a sample begins a new piece, whose height is uniform on
// (0, 1). It takes two numbers a sample.
func steps(row []float64, rate float64, u []float32) {
	for i := range row {
		if i == 0 || float64(u[2*i]) < rate {
			row[i] = float64(u[2*i+1])
		} else {
			row[i] = row[i-1]
		}
	}
}

// PiecewiseConstant makes signals of pieces.
func PiecewiseConstant(c Config) (Set, error) {
	return c.make("piecewise", 2*max(0, c.Length), steps)
}

// CosineSparse makes signals x = C'a, C the orthonormal cosine transform (DCT-II), a with Rate*Length coefficients that are not zero,
// rounded and at least one: this many, and not each with that probability, is a choice made here. Any coefficient may be among them,
// the mean's too, and all sets are as likely.
func CosineSparse(c Config) (Set, error) {
	n := c.Length
	if n > maxSide {
		return Set{}, fmt.Errorf("dct-sparse signals: length %d, at most %d is wanted", n, maxSide)
	}
	order := make([]int, max(0, n))
	return c.make("dct-sparse", 2*max(0, n), func(row []float64, rate float64, u []float32) {
		for i := range order {
			order[i] = i
		}
		for k := range max(1, int(math.Round(rate*float64(n)))) {
			other := k + int(float64(u[2*k])*float64(n-k)) // the first steps of a shuffle (Fisher, Yates)
			order[k], order[other] = order[other], order[k]
			a := 2*float64(u[2*k+1]) - 1
			if order[k] == 0 {
				a *= math.Sqrt(1 / float64(n))
			} else {
				a *= math.Sqrt(2 / float64(n))
			}
			for i := range row {
				row[i] += a * math.Cos(math.Pi*(float64(i)+0.5)*float64(order[k])/float64(n))
			}
		}
	})
}

// maxSide bounds lengths whose work grows by the square.
const maxSide = 1 << 16

// ConstantPatch makes square patches, row by row, x[i][j] = (a[i] + b[j])/2 with a and b piecewise constant: Length is a square.
func ConstantPatch(c Config) (Set, error) {
	side := int(math.Sqrt(float64(max(0, c.Length))))
	if c.Length < 1 || c.Length > maxValues || side*side != c.Length {
		return Set{}, fmt.Errorf("constant-patch signals: length %d, a square up to %d is wanted", c.Length, maxValues)
	}
	a, b := make([]float64, side), make([]float64, side)
	return c.make("constant-patch", 4*side, func(row []float64, rate float64, u []float32) {
		steps(a, rate, u[:2*side])
		steps(b, rate, u[2*side:])
		for i, v := range a {
			for j, w := range b {
				row[i*side+j] = (v + w) / 2
			}
		}
	})
}
