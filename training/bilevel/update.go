package bilevel

import (
	"fmt"
	"math"
)

// Rule is how parameters follow the gradient.
type Rule int

const (
	SGD       Rule = iota // p' = p - r g
	HeavyBall             // v' = m v + g, p' = p - r v'
	Adam                  // moments decaying by 0.9 and 0.999, corrected for their start at 0; epsilon 1e-8
)

var ruleNames = []string{"sgd", "heavy-ball", "adam"}

func (r Rule) String() string {
	if r < 0 || int(r) >= len(ruleNames) {
		return fmt.Sprintf("rule %d", int(r))
	}
	return ruleNames[r]
}

// ParseRule is the rule of a name: sgd, heavy-ball or adam.
func ParseRule(name string) (Rule, error) {
	for i, n := range ruleNames {
		if n == name {
			return Rule(i), nil
		}
	}
	return 0, fmt.Errorf("rule %q: wants one of %v", name, ruleNames)
}

// slots is how many numbers a rule keeps for a parameter.
func (r Rule) slots() int { return []int{0, 1, 2}[r] }

// update moves p along g, at a step counted from 1.
func (r Rule) update(p, g []float64, slots [][]float64, rate, momentum float64, step int) {
	switch r {
	case SGD:
		for i := range p {
			p[i] -= rate * g[i]
		}
	case HeavyBall:
		v := slots[0]
		for i := range p {
			v[i] = momentum*v[i] + g[i]
			p[i] -= rate * v[i]
		}
	case Adam:
		const first, second, epsilon = 0.9, 0.999, 1e-8
		m, v := slots[0], slots[1]
		mean, square := 1-math.Pow(first, float64(step)), 1-math.Pow(second, float64(step))
		for i := range p {
			m[i] = first*m[i] + (1-first)*g[i]
			v[i] = second*v[i] + (1-second)*g[i]*g[i]
			p[i] -= rate * (m[i] / mean) / (math.Sqrt(v[i]/square) + epsilon)
		}
	}
}
