package onnx

import (
	"fmt"
	"slices"
)

// check says whether indices and values agree with each other and lie inside dims.
func (t *SparseTensor) check() error {
	if len(t.Dims) > maxRank {
		return fmt.Errorf("rank %d, at most %d", len(t.Dims), maxRank)
	}
	total, err := ElementCount(t.Dims)
	if err != nil {
		return err
	}
	if len(t.Values.Dims) != 1 {
		return fmt.Errorf("values of dims %v, want a vector", t.Values.Dims)
	}
	nnz, rank := t.Values.Dims[0], int64(len(t.Dims))
	index := t.Indices.Int64s()
	switch {
	case t.Indices.DType != Int64:
		return fmt.Errorf("indices are %v, want int64", t.Indices.DType)
	case len(t.Indices.Dims) == 1 && t.Indices.Dims[0] == nnz:
		for _, i := range index {
			if i < 0 || i >= total {
				return fmt.Errorf("index %d outside of dims %v", i, t.Dims)
			}
		}
	case len(t.Indices.Dims) == 2 && t.Indices.Dims[0] == nnz && t.Indices.Dims[1] == rank:
		for k, i := range index {
			if size := t.Dims[int64(k)%rank]; i < 0 || i >= size {
				return fmt.Errorf("index %d outside of dims %v", i, t.Dims)
			}
		}
	default:
		return fmt.Errorf("indices of dims %v, want [%d] or [%d %d]", t.Indices.Dims, nnz, nnz, rank)
	}
	return nil
}

// ascending says whether the indices, which check has found good, rise from one to the next as the standard asks for.
func (t *SparseTensor) ascending() error {
	index, width := t.Indices.Int64s(), 1
	if len(t.Indices.Dims) == 2 {
		width = int(t.Indices.Dims[1])
	}
	if width == 0 {
		return nil
	}
	for at := width; at < len(index); at += width {
		if slices.Compare(index[at-width:at], index[at:at+width]) >= 0 {
			return fmt.Errorf("index %d does not come after the one before it", at/width)
		}
	}
	return nil
}
