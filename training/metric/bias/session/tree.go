package session

import (
	"cmp"
	"slices"
)

// tree is texts that begin alike, with what they share written once. Behind a token it has those that the texts go on with; of the
// last token of a text it has no place of its own, as nothing is asked behind it.
type tree struct {
	tokens []int64
	parent []int     // place of the token before, -1: none
	depth  []int64   // tokens before
	wanted [][]int64 // tokens that follow, each once
	texts  []int
	steps  [][]step // of each text, from its second token on
}

// step is a token of a text: which of those wanted behind a place.
type step struct{ place, wanted int }

// trees makes trees of texts, of at most so many places, and of one text at least. Texts without a common beginning are in different
// trees.
func trees(texts []int, ids func(int) []int64, most int) (out []*tree) {
	texts = slices.Clone(texts)
	slices.SortStableFunc(texts, func(a, b int) int { return cmp.Or(slices.Compare(ids(a), ids(b)), cmp.Compare(a, b)) })
	var t *tree
	var path []int // places of the last text
	var last []int64
	for _, i := range texts {
		text := ids(i)
		shared := 0 // of the last text's places
		for shared < min(len(path), len(text)-1) && last[shared] == text[shared] {
			shared++
		}
		if more := len(text) - 1 - shared; t == nil || shared == 0 || more > 0 && len(t.tokens)+more > most {
			t, path, shared = &tree{}, nil, 0
			out = append(out, t)
		}
		path, last = path[:shared], text
		for place := shared; place < len(text)-1; place++ {
			parent := -1
			if place > 0 {
				parent = path[place-1]
			}
			path = append(path, len(t.tokens))
			t.tokens, t.parent, t.depth, t.wanted = append(t.tokens, text[place]), append(t.parent, parent), append(t.depth, int64(place)), append(t.wanted, nil)
		}
		steps := make([]step, len(path))
		for k, place := range path {
			// Texts come in order, so that those which go on alike are neighbours.
			if w := t.wanted[place]; len(w) == 0 || w[len(w)-1] != text[k+1] {
				t.wanted[place] = append(w, text[k+1])
			}
			steps[k] = step{place, len(t.wanted[place]) - 1}
		}
		t.texts, t.steps = append(t.texts, i), append(t.steps, steps)
	}
	return out
}

// row is trees side by side.
type row struct {
	trees []*tree
	size  int
}

// rowsOf puts trees into rows of at most so many places, the largest tree first and each where it fits first, and gives the rows by size.
func rowsOf(all []*tree, most int) (out []row) {
	all = slices.Clone(all)
	slices.SortStableFunc(all, func(a, b *tree) int { return cmp.Compare(len(b.tokens), len(a.tokens)) })
	for _, t := range all {
		i := slices.IndexFunc(out, func(r row) bool { return r.size+len(t.tokens) <= most })
		if i < 0 {
			i = len(out)
			out = append(out, row{})
		}
		out[i].trees, out[i].size = append(out[i].trees, t), out[i].size+len(t.tokens)
	}
	slices.SortStableFunc(out, func(a, b row) int { return cmp.Compare(a.size, b.size) })
	return out
}

// grove is rows that are run together.
type grove struct {
	rows   []row
	length int
}

// groves puts rows together while they have at most so many tokens with what fills them up, and that is at most an eighth of each.
func groves(rows []row, tokens int) (out []grove) {
	for end := len(rows); end > 0; {
		begin, length := end-1, rows[end-1].size
		for begin > 0 && (end-begin+1)*length <= tokens && rows[begin-1].size*8 >= length*7 {
			begin--
		}
		out = append(out, grove{rows[begin:end], length})
		end = begin
	}
	slices.Reverse(out)
	return out
}

func (g grove) indexes() (texts []int) {
	for _, r := range g.rows {
		for _, t := range r.trees {
			texts = append(texts, t.texts...)
		}
	}
	return texts
}

// fields are a grove as the inputs of a model: tokens and their places in the text, [rows, length]; what is added to the scores of
// attention, [rows, 1, length, length], which is nothing where a token sees another; places that are asked, as rows of
// [rows*length, ...], and the tokens wanted there, width for each place.
type fields struct {
	ids, positions [][]int64
	seen           []float32
	at, wanted     []int64
	width          int
}

func (g grove) fields(unseen float32) *fields {
	n := g.length
	f := &fields{seen: make([]float32, len(g.rows)*n*n)}
	for i := range f.seen {
		f.seen[i] = unseen
	}
	for _, r := range g.rows {
		for _, t := range r.trees {
			for _, w := range t.wanted {
				f.width = max(f.width, len(w))
			}
		}
	}
	for k, r := range g.rows {
		ids, positions, from := make([]int64, n), make([]int64, n), 0
		see := func(place, other int) { f.seen[(k*n+place)*n+other] = 0 }
		for _, t := range r.trees {
			copy(ids[from:], t.tokens)
			copy(positions[from:], t.depth)
			for i, w := range t.wanted {
				for seen := i; seen >= 0; seen = t.parent[seen] {
					see(from+i, from+seen)
				}
				f.at = append(f.at, int64(k*n+from+i))
				f.wanted = append(append(f.wanted, w...), make([]int64, f.width-len(w))...)
			}
			from += len(t.tokens)
		}
		for ; from < n; from++ { // what fills up
			see(from, from)
		}
		f.ids, f.positions = append(f.ids, ids), append(f.positions, positions)
	}
	return f
}

// take gives the texts' answers from what was found at the places asked.
func (g grove) take(found []float32, width int, into [][]float64) {
	from := 0
	for _, r := range g.rows {
		for _, t := range r.trees {
			for k, text := range t.texts {
				answer := make([]float64, len(t.steps[k]))
				for i, s := range t.steps[k] {
					answer[i] = float64(found[(from+s.place)*width+s.wanted])
				}
				into[text] = answer
			}
			from += len(t.tokens)
		}
	}
}
