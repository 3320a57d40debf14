package limits

// EditDistance counts insertions, deletions, substitutions and swaps of
// neighbours that turn a into b (optimal string alignment, bytes).
func EditDistance(a, b string) int {
	before, last, now := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		now[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			now[j] = min(last[j]+1, now[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				now[j] = min(now[j], before[j-2]+1)
			}
		}
		before, last, now = last, now, before
	}
	return last[len(b)]
}

// Nearest returns the candidate with the smallest edit distance to word, or "" when none is near enough to be a slip. Ties go to
// the earlier candidate.
func Nearest(word string, candidates []string) string {
	const longest = 64
	if len(word) > longest {
		return ""
	}
	best, least := "", len(word)/3+2
	for _, c := range candidates {
		if d := EditDistance(word, c); d < least && d < max(len(word), len(c)) {
			best, least = c, d
		}
	}
	return best
}
