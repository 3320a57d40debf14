package autodiff_test

import (
	"strings"
	"testing"

	"graft/onnx"
)

func TestEinsum(t *testing.T) {
	sizes := map[rune]int64{'i': 2, 'j': 3, 'k': 4, 'b': 2, 'h': 3, 'l': 2}
	for _, c := range []struct {
		equation string
		shapes   [][]int64 // in the place of the letters' sizes
	}{
		{"ij,jk->ik", nil}, {"ij,jk", nil}, {"ij->ji", nil}, {"ji", nil}, {"ij->", nil}, {"ij->j", nil}, {"ij,ij->", nil}, {"i,j->ij", nil},
		{"bij,bjk->bik", nil}, {"bhik,bhjk->bhij", nil}, {"ij,jk,kl->il", nil}, {"ij,kj->i", nil}, {"ij,k->i", nil},
		{"ii->i", nil}, {"ii->", nil}, {"iji->ij", nil}, {"ii,ij->j", nil}, {"iii->i", nil}, {"ijj,jk->ik", nil},
		{",ij->ij", nil}, {"ij,->", nil}, {"ij,ij->ij", [][]int64{{2, 3}, {2, 1}}}, {"ij,ij->i", [][]int64{{2, 3}, {2, 1}}},
		{"ij,jk->ik", [][]int64{{2, 1}, {3, 4}}},
		{"...ij,...jk->...ik", [][]int64{{2, 2, 3}, {2, 3, 4}}}, {"...ij,...jk->...ik", [][]int64{{2, 1, 2, 3}, {1, 2, 3, 4}}},
		{"...ij,jk->...ik", [][]int64{{3, 2, 3}, {3, 4}}}, {"...i,...i", [][]int64{{3, 2, 4}, {1, 2, 4}}}, {"i...,i...->...", [][]int64{{4, 2, 1}, {4, 1, 3}}},
		{"...->...", [][]int64{{2, 3}}}, {"b...ii->b...", [][]int64{{2, 3, 2, 2}}},
	} {
		terms, _, _ := strings.Cut(c.equation, "->")
		var args tensors
		for i, term := range strings.Split(terms, ",") {
			var dims []int64
			if c.shapes != nil {
				dims = c.shapes[i]
			} else {
				for _, l := range term {
					dims = append(dims, sizes[l])
				}
			}
			args = append(args, random(uint64(i+1), dims...))
		}
		e := example{name: c.equation, args: args, f: bent(node("Einsum", onnx.Str("equation", c.equation)))}
		t.Run(e.name, e.run)
	}
	r := random
	for _, s := range []symbolic{
		{"heads", []string{"N S H 2", "N T H 2"}, bent(node("Einsum", onnx.Str("equation", "bshd,bthd->bhst"))), []tensors{{r(1, 2, 1, 2, 2), r(2, 2, 3, 2, 2)}, {r(1, 1, 2, 1, 2), r(2, 1, 1, 1, 2)}}},
		{"diagonal", []string{"N M M", "K"}, bent(node("Einsum", onnx.Str("equation", "bii,k->bi"))), []tensors{{r(1, 2, 3, 3), r(2, 2)}, {r(1, 1, 2, 2), r(2, 1)}}},
		{"broadcast", []string{"A B 2", "C 2 3"}, bent(node("Einsum", onnx.Str("equation", "...ij,...jk->...ik"))), []tensors{{r(1, 1, 3, 2), r(2, 2, 2, 3)}, {r(1, 2, 1, 2), r(2, 1, 2, 3)}, {r(1, 2, 1, 2), r(2, 2, 2, 3)}}},
		{"letters of size 1", []string{"A B", "C D"}, bent(node("Einsum", onnx.Str("equation", "ij,ij->i"))), []tensors{{r(1, 2, 3), r(2, 2, 1)}, {r(1, 1, 1), r(2, 2, 3)}}},
	} {
		t.Run(s.name, s.run)
	}
}
