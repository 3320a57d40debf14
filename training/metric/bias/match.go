package bias

// match is a run of equal tokens: a[a:a+n] and b[b:b+n].
type match struct{ a, b, n int }

// unchanged gives the indexes of tokens that two sequences share, in both, by the matching of Ratcliff and Obershelp (1988)
// in the form that Python's difflib has, which the published evaluation of CrowS-Pairs uses: the longest common run, of
// several the one that begins first in a, then in b; then the same to its left and to its right. As there, tokens that make
// up more than one in a hundred of a b of 200 or more do not begin a run.
func unchanged(a, b []int64) (inA, inB []int) {
	m := matcher{a: a, b: b, where: map[int64][]int{}}
	for j, t := range b {
		m.where[t] = append(m.where[t], j)
	}
	if n := len(b); n >= 200 {
		for t, at := range m.where {
			if len(at) > n/100+1 {
				delete(m.where, t)
			}
		}
	}
	m.walk(0, len(a), 0, len(b), func(x match) {
		for i := range x.n {
			inA, inB = append(inA, x.a+i), append(inB, x.b+i)
		}
	})
	return inA, inB
}

type matcher struct {
	a, b  []int64
	where map[int64][]int // indexes in b
}

// walk gives the runs of a[aLow:aHigh] and b[bLow:bHigh] from left to right.
func (m *matcher) walk(aLow, aHigh, bLow, bHigh int, found func(match)) {
	x := m.longest(aLow, aHigh, bLow, bHigh)
	if x.n == 0 {
		return
	}
	m.walk(aLow, x.a, bLow, x.b, found)
	found(x)
	m.walk(x.a+x.n, aHigh, x.b+x.n, bHigh, found)
}

func (m *matcher) longest(aLow, aHigh, bLow, bHigh int) match {
	best := match{a: aLow, b: bLow}
	var lengths map[int]int // of the run that ends at this token of a, by its end in b
	for i := aLow; i < aHigh; i++ {
		next := map[int]int{}
		for _, j := range m.where[m.a[i]] {
			if j < bLow {
				continue
			}
			if j >= bHigh {
				break
			}
			n := lengths[j-1] + 1
			next[j] = n
			if n > best.n {
				best = match{a: i - n + 1, b: j - n + 1, n: n}
			}
		}
		lengths = next
	}
	for best.a > aLow && best.b > bLow && m.a[best.a-1] == m.b[best.b-1] {
		best.a, best.b, best.n = best.a-1, best.b-1, best.n+1
	}
	for best.a+best.n < aHigh && best.b+best.n < bHigh && m.a[best.a+best.n] == m.b[best.b+best.n] {
		best.n++
	}
	return best
}
