package dataset

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"

	"graft/onnx"
	"graft/onnx/limits"
)

const (
	maxTokenLine   = 16 << 20
	maxTokenLength = 1 << 20
	// streamLength is the number of tokens of a sample of a stream, unless another is asked for.
	streamLength = 128
	ignored      = -100 // the label of what is no token, as the field has it
)

// Names of the columns that files of tokens have.
const (
	columnIDs    = "input_ids"
	columnMask   = "attention_mask"
	columnLabels = "labels"
)

// isTokenStream knows no magic number: the name's ending says it.
func isTokenStream(f *source) bool {
	return !f.folder && !f.gzipped && f.ending() == ".bin" && f.size > 0
}

// readTokenStream cuts a stream of little-endian numbers of 16 bits into samples of Length tokens; the label of a token is the
// one that follows it.
func readTokenStream(f *source, c ReadConfig) (*Table, error) {
	length := c.Length
	if length == 0 {
		length = streamLength
	}
	n := f.size / 2
	switch {
	case f.size%2 != 0:
		return nil, limits.Refuse("", "%d bytes are no whole number of tokens of 16 bits", f.size)
	case n < length+1:
		return nil, limits.Refuse("", "%d tokens, a sample of %d and the one behind it are wanted", n, length)
	}
	data := make([]byte, f.size)
	if err := limits.ReadAt(f.file, data, 0, "tokens"); err != nil {
		return nil, err
	}
	tokens := onnx.View[uint16](&onnx.Tensor{DType: onnx.Uint16, Dims: []int64{n}, Data: data})
	t := &Table{}
	for i, name := range []string{columnIDs, columnLabels} {
		kind := Samples
		if i == 1 {
			kind = Answers
		}
		t.Columns = append(t.Columns, Column{Name: name, Kind: kind, Rows: streamRows{tokens[i:], (n - 1) / length, []int64{length}}})
	}
	return t, nil
}

// streamRows are neighbouring pieces of one stream, as int64.
type streamRows struct {
	tokens []uint16
	count  int64
	dims   []int64
}

func (r streamRows) Len() int64                       { return r.count }
func (r streamRows) Sample() (onnx.DataType, []int64) { return onnx.Int64, r.dims }

func (r streamRows) Gather(dst []byte, picked []uint32) error {
	to := onnx.View[int64](&onnx.Tensor{DType: onnx.Int64, Dims: []int64{int64(len(dst) / 8)}, Data: dst})
	length := int(r.dims[0])
	for i, at := range picked {
		for j, token := range r.tokens[int(at)*length : int(at+1)*length] {
			to[i*length+j] = int64(token)
		}
	}
	return nil
}

// isTokenLines knows a line that is JSON.
func isTokenLines(f *source) bool {
	if f.folder {
		return false
	}
	first := bytes.TrimLeft(f.head, " \t\r\n")
	return len(first) > 0 && (first[0] == '{' || first[0] == '[' && f.ending() != ".csv") && tensorFile(f.head, f.size) == ""
}

// tokenLines is the state of reading one file of lines.
type tokenLines struct {
	lists   map[string][][]int64 // by input; numbers are lists of one
	single  map[string]bool      // given as numbers, not lists
	longest map[string]int64
	names   []string
	count   int
}

// readTokenLines reads a document a line: a list of token numbers, or an object of lists and numbers by the names of the
// model's inputs. Lists are filled up to Length, or the longest: tokens with 0, labels with -100. attention_mask, 1 for what
// was there, comes with it.
func readTokenLines(f *source, c ReadConfig) (*Table, error) {
	plain, err := f.plain()
	if err != nil {
		return nil, err
	}
	t := &tokenLines{lists: map[string][][]int64{}, single: map[string]bool{}, longest: map[string]int64{}}
	lines := bufio.NewScanner(io.LimitReader(plain, f.most()))
	lines.Buffer(make([]byte, 1<<16), maxTokenLine)
	for at := 1; lines.Scan(); at++ {
		line := bytes.TrimSpace(lines.Bytes())
		if len(line) == 0 {
			continue
		}
		if err := t.add(line); err != nil {
			return nil, inLine(at, err)
		}
	}
	if err := lines.Err(); errors.Is(err, bufio.ErrTooLong) {
		return nil, limits.Refuse("", "a line has more than %d bytes", maxTokenLine)
	} else if err != nil {
		return nil, packed(err)
	}
	if t.count == 0 {
		return nil, limits.Refuse("", "holds no document")
	}
	return t.table(c.Length)
}

func inLine(at int, err error) error {
	if in, ok := errors.AsType[*limits.InputError](err); ok {
		c := *in
		c.Field = fmt.Sprintf("line %d", at)
		if in.Field != "" {
			c.Field += ": " + in.Field
		}
		return &c
	}
	return err
}

func (t *tokenLines) add(line []byte) error {
	fields := map[string]json.RawMessage{columnIDs: line}
	if line[0] == '{' {
		fields = nil
		if err := json.Unmarshal(line, &fields); err != nil {
			return limits.Refuse("", "is no JSON object: %s", jsonReason(err))
		}
	}
	names := slices.Sorted(maps.Keys(fields))
	if t.count == 0 {
		t.names = names
	} else if !slices.Equal(names, t.names) {
		return limits.Refuse("", "has %s, the first has %s", limits.Names(names, 6), limits.Names(t.names, 6))
	}
	t.count++
	for _, name := range names {
		list, single, err := tokenList(fields[name])
		if err != nil {
			return limits.Refuse("field "+limits.Name(name), "%v", err)
		}
		if t.count > 1 && single != t.single[name] {
			return limits.Refuse("field "+limits.Name(name), "is a list in some lines and a number in others")
		}
		t.single[name] = single
		t.lists[name] = append(t.lists[name], list)
		t.longest[name] = max(t.longest[name], int64(len(list)))
	}
	return nil
}

// tokenList reads a list of whole numbers, or one number.
func tokenList(raw json.RawMessage) (list []int64, single bool, err error) {
	if err := json.Unmarshal(raw, &list); err == nil && list != nil {
		if len(list) > maxTokenLength {
			return nil, false, fmt.Errorf("%d tokens, at most %d", len(list), maxTokenLength)
		}
		if i := slices.IndexFunc(list, func(v int64) bool { return v < math.MinInt32 || v > math.MaxInt32 }); i >= 0 {
			return nil, false, fmt.Errorf("element %d is %d, no token number", i, list[i])
		}
		return list, false, nil
	}
	var one int64
	if err := json.Unmarshal(raw, &one); err != nil || string(raw) == "null" {
		return nil, false, errors.New("is neither a whole number nor a list of whole numbers")
	}
	return []int64{one}, true, nil
}

func jsonReason(err error) string {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return fmt.Sprintf("at byte %d", syntax.Offset)
	}
	return "its fields are of another kind"
}

func (t *tokenLines) table(length int64) (*Table, error) {
	out := &Table{}
	n := int64(t.count)
	for _, name := range t.names {
		kind := Named
		switch name {
		case columnLabels, "label", "target":
			kind = Answers
		case columnIDs:
			kind = Samples
		}
		if t.single[name] {
			flat := make([]int64, n)
			for i, list := range t.lists[name] {
				flat[i] = list[0]
			}
			rows, err := TensorRows(onnx.FromSlice(flat))
			if err != nil {
				return nil, err
			}
			out.Columns = append(out.Columns, Column{Name: name, Kind: kind, Rows: rows})
			continue
		}
		wide := t.longest[name]
		if length > 0 {
			if wide > length {
				out.Notes = append(out.Notes, fmt.Sprintf("%s: documents of up to %d tokens are cut to %d", limits.Name(name), wide, length))
			}
			wide = length
		}
		if wide == 0 {
			return nil, limits.Refuse("field "+limits.Name(name), "all lists are empty")
		}
		fill := int64(0)
		if kind == Answers {
			fill = ignored
		}
		rows := &listRows{lists: t.lists[name], dims: []int64{wide}, fill: fill}
		out.Columns = append(out.Columns, Column{Name: name, Kind: kind, Rows: rows})
		if name == columnIDs && !slices.Contains(t.names, columnMask) {
			mask := *rows
			mask.mask = true
			out.Columns = append(out.Columns, Column{Name: columnMask, Rows: &mask})
		}
	}
	return out, nil
}

// listRows are lists of their own lengths, filled up or cut to one.
type listRows struct {
	lists [][]int64
	dims  []int64
	fill  int64
	mask  bool // give 1 for what is there, 0 for what is filled up
}

func (r *listRows) Len() int64                       { return int64(len(r.lists)) }
func (r *listRows) Sample() (onnx.DataType, []int64) { return onnx.Int64, r.dims }

func (r *listRows) Gather(dst []byte, picked []uint32) error {
	to := onnx.View[int64](&onnx.Tensor{DType: onnx.Int64, Dims: []int64{int64(len(dst) / 8)}, Data: dst})
	length := int(r.dims[0])
	for i, at := range picked {
		row, list := to[i*length:(i+1)*length], r.lists[at]
		for j := range row {
			switch {
			case j >= len(list):
				row[j] = r.fill
			case r.mask:
				row[j] = 1
			default:
				row[j] = list[j]
			}
		}
		if r.mask {
			for j := len(list); j < length; j++ {
				row[j] = 0
			}
		}
	}
	return nil
}
