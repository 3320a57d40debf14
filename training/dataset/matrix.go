package dataset

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"graft/onnx"
	"graft/onnx/limits"
)

// maxMatrix bounds the numbers of a matrix of text, each of which takes two bytes of the file at least; maxMatrixLine the bytes of a row.
const (
	maxMatrix     = 1 << 28
	maxMatrixLine = 4 << 20
)

// ReadMatrix reads rows of numbers, all as long as the first: the one tensor of a .npy, .npz or safetensors file, of two axes, or CSV, also
// with tabs or semicolons, with or without a header, also .gz. The numbers are double and finite.
func ReadMatrix(path string) (*onnx.Tensor, error) {
	f, err := openSource(path)
	if err != nil {
		return nil, err
	}
	defer f.close()
	var t *onnx.Tensor
	switch {
	case f.folder:
		err = limits.Refuse("", "is a folder, a file of numbers is wanted")
	case isArrays(f):
		t, err = matrixOfArrays(f)
	case isCSV(f):
		t, err = matrixOfCSV(f)
	default:
		err = limits.Refuse("", "is no .npy, .npz or safetensors file, and no CSV")
	}
	if err != nil {
		return nil, limits.InFile(path, err)
	}
	for i, v := range onnx.Read[float64](t) {
		if v-v != 0 {
			return nil, limits.InFile(path, limits.Refuse(fmt.Sprintf("row %d, column %d", i/int(t.Dims[1]), i%int(t.Dims[1])), "is %g, finite numbers are wanted", v))
		}
	}
	return t, nil
}

func matrixOfArrays(f *source) (*onnx.Tensor, error) {
	list, err := readTensors(f.file, f.size, f.path)
	if err != nil {
		return nil, err
	}
	if len(list) != 1 {
		return nil, limits.Refuse("", "has %d tensors, one is wanted", len(list))
	}
	t := list[0]
	if len(t.Dims) != 2 || t.Dims[0] < 1 || t.Dims[1] < 1 {
		return nil, limits.Refuse("", "is %v, [rows, numbers of a row] is wanted", t.Type())
	}
	v, ok := t.Reals()
	if !ok {
		return nil, limits.Refuse("", "is %v, numbers are wanted", t.Type())
	}
	return onnx.FromSlice(v, t.Dims...), nil
}

func matrixOfCSV(f *source) (*onnx.Tensor, error) {
	plain, err := f.plain()
	if err != nil {
		return nil, err
	}
	r := csv.NewReader(&shortLines{r: bufio.NewReaderSize(io.LimitReader(plain, f.most()), 1<<16), most: maxMatrixLine})
	r.FieldsPerRecord, r.ReuseRecord, r.TrimLeadingSpace = -1, true, true
	switch first, _, _ := strings.Cut(string(f.head), "\n"); {
	case f.ending() == ".tsv" || strings.Contains(first, "\t") && !strings.Contains(first, ","):
		r.Comma, r.TrimLeadingSpace = '\t', false
	case strings.Contains(first, ";") && !strings.Contains(first, ","):
		r.Comma = ';'
	}
	var values []float64
	columns, rows := 0, 0
	for first := true; ; first = false {
		fields, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, csvError(f, err)
		}
		line, _ := r.FieldPos(0)
		where := fmt.Sprintf("line %d", line)
		if first {
			fields[0] = strings.TrimPrefix(fields[0], "\ufeff")
			if columns = len(fields); columns > maxCSVColumns {
				return nil, limits.Refuse(where, "%d columns, at most %d", columns, maxCSVColumns)
			}
		}
		if len(fields) != columns {
			return nil, limits.Refuse(where, "%d numbers, the first line has %d", len(fields), columns)
		}
		if first && !slices.ContainsFunc(fields, isNumber) { // a header
			continue
		}
		for i, s := range fields {
			v, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
			if err != nil {
				return nil, limits.Refuse(fmt.Sprintf("%s, column %d", where, i+1), "%s is no number of double precision", limits.Name(s))
			}
			values = append(values, v)
		}
		if rows++; len(values) > maxMatrix {
			return nil, limits.Refuse(where, "there are more than %d numbers", maxMatrix)
		}
	}
	if rows == 0 {
		return nil, limits.Refuse("", "has no row of numbers")
	}
	return onnx.FromSlice(values, int64(rows), int64(columns)), nil
}

// isNumber also says so of numbers that double cannot hold.
func isNumber(s string) bool {
	_, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	return err == nil || errors.Is(err, strconv.ErrRange)
}
