package prosocial

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/optimize"
)

// INLPConfig says how directions are found; the zero value is bias-bench's number of rounds.
type INLPConfig struct {
	Rounds int     // 0: 80
	L2     float64 // of the classifiers' weights, on embeddings brought to a mean square of 1; 0: 1e-4
	// Enough ends the rounds when a classifier is right no more often than the most frequent class and this much; 0: never.
	Enough float64
	// Held are embeddings that no classifier is trained on: with them it is they that Enough goes by.
	Held LabelledVectors
	// Told, which may be nil, is called with each round.
	Told func(INLPRound)
}

// INLPRound is a classifier.
type INLPRound struct {
	// Accuracy is on the embeddings that it was trained on, in which earlier directions are left out; Held on those that it was not.
	Accuracy float64  `json:"accuracy"`
	Held     *float64 `json:"held,omitempty"`
}

// INLP finds directions by which a linear classifier tells classes apart, again and again on what is left of the embeddings: in
// each round a logistic regression w, and
//
//	P <- the projection on what is orthogonal to all w so far
//
// (Ravfogel et al. 2020, algorithm 1, with its intersection of null spaces). Of two classes a round gives one direction, of more
// one for each class against the rest. labels are numbers from 0.
func INLP(x [][]float64, labels []int, c INLPConfig) (*Projection, []INLPRound, error) {
	width, err := widthOf(x)
	if err != nil {
		return nil, nil, err
	}
	counts, err := classCounts(len(x), labels)
	if err != nil {
		return nil, nil, err
	}
	if c.Rounds <= 0 {
		c.Rounds = 80
	}
	if c.L2 <= 0 {
		c.L2 = 1e-4
	}
	rest, held, err := c.centred(x, len(counts))
	if err != nil {
		return nil, nil, err
	}
	chance := Chance(labels)
	if len(held) > 0 {
		chance = Chance(c.Held.Labels)
	}
	p := &Projection{width: width}
	var rounds []INLPRound
	for range min(c.Rounds, width) {
		fits, err := classifiers(rest, labels, len(counts), c.L2)
		if err != nil {
			return nil, nil, err
		}
		round := INLPRound{Accuracy: accuracy(rest, labels, fits)}
		right := round.Accuracy
		if len(held) > 0 {
			right = accuracy(held, c.Held.Labels, fits)
			round.Held = &right
		}
		if rounds = append(rounds, round); c.Told != nil {
			c.Told(round)
		}
		if c.Enough > 0 && right <= chance+c.Enough {
			break
		}
		added := false
		for _, f := range fits {
			added = p.add(f.w) || added
		}
		if !added {
			break
		}
		for _, row := range slices.Concat(rest, held) {
			p.Apply(row)
		}
	}
	return p, rounds, nil
}

// Chance is how often the most frequent class is right.
func Chance(labels []int) float64 {
	counts, most := map[int]int{}, 0
	for _, l := range labels {
		counts[l]++
		most = max(most, counts[l])
	}
	return float64(most) / float64(max(len(labels), 1))
}

// Telling is how often a linear classifier that is trained on some embeddings is right on others.
func Telling(train, held LabelledVectors) (float64, error) {
	_, rounds, err := INLP(train.X, train.Labels, INLPConfig{Rounds: 1, Held: held})
	if err != nil {
		return 0, err
	}
	if rounds[0].Held == nil {
		return 0, fmt.Errorf("no embeddings to try a classifier on")
	}
	return *rounds[0].Held, nil
}

// classCounts are the sizes of the classes.
func classCounts(n int, labels []int) ([]int, error) {
	if len(labels) != n {
		return nil, fmt.Errorf("%d labels of %d embeddings", len(labels), n)
	}
	var counts []int
	for i, l := range labels {
		if l < 0 || l > 1000 {
			return nil, fmt.Errorf("label %d is %d, want 0 to 1000", i+1, l)
		}
		for len(counts) <= l {
			counts = append(counts, 0)
		}
		counts[l]++
	}
	for l, k := range counts {
		if k == 0 || len(counts) < 2 {
			return nil, fmt.Errorf("%d classes, class %d has %d embeddings: there is nothing to tell apart", len(counts), l, k)
		}
	}
	return counts, nil
}

// centred are copies of embeddings and of those that are held back, with the mean of the former taken off and a mean square of 1
// over all their numbers: directions stay what they are.
func (c *INLPConfig) centred(x [][]float64, classes int) (rest, held [][]float64, err error) {
	if len(c.Held.X) != len(c.Held.Labels) {
		return nil, nil, fmt.Errorf("%d labels of %d embeddings that are held back", len(c.Held.Labels), len(c.Held.X))
	}
	for i, l := range c.Held.Labels {
		if l < 0 || l >= classes || len(c.Held.X[i]) != len(x[0]) {
			return nil, nil, fmt.Errorf("embedding %d that is held back has %d numbers and label %d", i+1, len(c.Held.X[i]), l)
		}
	}
	mean := make([]float64, len(x[0]))
	for _, row := range x {
		floats.AddScaled(mean, 1/float64(len(x)), row)
	}
	sum := 0.
	for i, row := range slices.Concat(x, c.Held.X) {
		r := make([]float64, len(row))
		floats.SubTo(r, row, mean)
		if i < len(x) {
			sum += floats.Dot(r, r)
			rest = append(rest, r)
		} else {
			held = append(held, r)
		}
	}
	if scale := math.Sqrt(sum / float64(len(x)*len(mean))); scale > 0 {
		for _, r := range slices.Concat(rest, held) {
			floats.Scale(1/scale, r)
		}
	}
	return rest, held, nil
}

// linear is a classifier: positive for its class.
type linear struct {
	w []float64
	b float64
}

func (f linear) value(x []float64) float64 { return floats.Dot(f.w, x) + f.b }

// classifiers are one for two classes, else one for each against the rest.
func classifiers(x [][]float64, labels []int, classes int, l2 float64) (fits []linear, err error) {
	for k := range classes {
		if classes == 2 && k == 0 {
			continue // that of class 1 is its negative
		}
		f, err := logistic(x, func(i int) float64 {
			if labels[i] == k {
				return 1
			}
			return -1
		}, l2)
		if err != nil {
			return nil, err
		}
		fits = append(fits, f)
	}
	return fits, nil
}

// logistic minimises mean_i log(1 + exp(-y_i (w x_i + b))) + l2/2 |w|^2.
func logistic(x [][]float64, y func(int) float64, l2 float64) (linear, error) {
	width := len(x[0])
	problem := optimize.Problem{
		Func: func(p []float64) float64 {
			f := linear{p[:width], p[width]}
			loss := l2 / 2 * floats.Dot(f.w, f.w)
			for i, row := range x {
				m := y(i) * f.value(row)
				// log(1 + exp(-m)) without overflow.
				loss += (math.Max(-m, 0) + math.Log1p(math.Exp(-math.Abs(m)))) / float64(len(x))
			}
			return loss
		},
		Grad: func(g, p []float64) {
			f := linear{p[:width], p[width]}
			floats.ScaleTo(g[:width], l2, f.w)
			g[width] = 0
			for i, row := range x {
				t := y(i)
				d := -t / (1 + math.Exp(t*f.value(row))) / float64(len(x))
				floats.AddScaled(g[:width], d, row)
				g[width] += d
			}
		},
	}
	result, err := optimize.Minimize(problem, make([]float64, width+1), &optimize.Settings{GradientThreshold: 1e-6, MajorIterations: 300}, &optimize.LBFGS{})
	if result == nil {
		return linear{}, fmt.Errorf("train a classifier: %w", err)
	}
	// A line search that finds nothing better in rounding has arrived.
	if math.IsNaN(result.F) {
		return linear{}, fmt.Errorf("train a classifier: the loss is no number")
	}
	return linear{result.X[:width], result.X[width]}, nil
}

// accuracy is how often the classifiers are right.
func accuracy(x [][]float64, labels []int, fits []linear) float64 {
	right := 0
	for i, row := range x {
		best := 0
		if len(fits) == 1 {
			if fits[0].value(row) > 0 {
				best = 1
			}
		} else {
			for k := range fits {
				if fits[k].value(row) > fits[best].value(row) {
					best = k
				}
			}
		}
		if best == labels[i] {
			right++
		}
	}
	return float64(right) / float64(len(x))
}
