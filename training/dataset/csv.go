package dataset

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"graft/onnx"
	"graft/onnx/limits"
)

const (
	maxCSVLine    = 16 << 20
	maxCSVColumns = 1 << 20
	maxClasses    = 1 << 20
)

// answerNames are what a column of answers is called, tried in this order.
var answerNames = []string{"labels", "label", "target", "targets", "class", "y"}

func isCSV(f *source) bool {
	if f.folder || len(f.head) == 0 || bytes.IndexByte(f.head, 0) >= 0 || !utf8.Valid(trimRune(f.head)) {
		return false
	}
	if e := f.ending(); e == ".csv" || e == ".tsv" {
		return true
	}
	first, _, _ := bytes.Cut(f.head, []byte("\n"))
	_, err := strconv.ParseFloat(strings.TrimSpace(strings.SplitN(string(first), ",", 2)[0]), 64)
	return err == nil && bytes.IndexByte(first, ',') > 0
}

// trimRune takes a character that the end of b cuts apart off.
func trimRune(b []byte) []byte {
	for i := 1; i <= min(len(b), utf8.UTFMax-1); i++ {
		if c := b[len(b)-i]; utf8.RuneStart(c) {
			if c >= utf8.RuneSelf && !utf8.FullRune(b[len(b)-i:]) {
				return b[:len(b)-i]
			}
			break
		}
	}
	return b
}

// csvReader is the state of reading one file.
type csvReader struct {
	c       ReadConfig
	names   []string // of the header; nil without one
	columns int
	answer  int // which column has the answers
	values  []float32
	answers []float64 // when all are numbers
	words   []string  // the answers as they are written
	numeric bool
	line    int
}

// readCSV reads numbers: a row is a sample, one column its answer. Answers that are whole numbers are labels; answers that are
// no numbers are classes, sorted by name.
func readCSV(f *source, c ReadConfig) (*Table, error) {
	plain, err := f.plain()
	if err != nil {
		return nil, err
	}
	r := csv.NewReader(&shortLines{r: bufio.NewReaderSize(io.LimitReader(plain, f.most()), 1<<16)})
	r.FieldsPerRecord, r.ReuseRecord, r.TrimLeadingSpace = -1, true, true
	first, _, _ := bytes.Cut(f.head, []byte("\n"))
	if f.ending() == ".tsv" || bytes.IndexByte(first, '\t') >= 0 && bytes.IndexByte(first, ',') < 0 {
		r.Comma, r.TrimLeadingSpace = '\t', false
	} else if bytes.IndexByte(first, ';') >= 0 && bytes.IndexByte(first, ',') < 0 {
		r.Comma = ';'
	}
	t := &csvReader{c: c, numeric: true}
	for {
		fields, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, csvError(f, err)
		}
		t.line, _ = r.FieldPos(0)
		if t.columns == 0 {
			fields[0] = strings.TrimPrefix(fields[0], "\ufeff")
			header, err := t.begin(fields)
			if err != nil {
				return nil, err
			}
			if header {
				continue
			}
		}
		if err := t.add(fields); err != nil {
			return nil, err
		}
	}
	return t.table()
}

func csvError(f *source, err error) error {
	var parse *csv.ParseError
	if errors.As(err, &parse) {
		return limits.Refuse(fmt.Sprintf("line %d", parse.Line), "%v", parse.Err)
	}
	if in, ok := errors.AsType[*limits.InputError](err); ok {
		return in
	}
	if f.gzipped {
		return packed(err)
	}
	return err
}

// begin looks at the first record, finds the answers' column, and reports whether the record is a header: one that has a
// field that is no number.
func (t *csvReader) begin(fields []string) (header bool, err error) {
	t.columns = len(fields)
	if t.columns > maxCSVColumns {
		return false, limits.Refuse(fmt.Sprintf("line %d", t.line), "%d columns, at most %d", t.columns, maxCSVColumns)
	}
	number := func(s string) bool { _, err := strconv.ParseFloat(strings.TrimSpace(s), 64); return err == nil }
	words := 0
	for _, s := range fields {
		if !number(s) {
			words++
		}
	}
	// One word among numbers is the answer of a first sample; in a header all are words.
	if header = words > 1 || words == 1 && len(fields) == 1; header {
		for _, s := range fields {
			t.names = append(t.names, strings.TrimSpace(s))
		}
	}
	t.answer = t.columns - 1
	if t.c.Label != "" {
		if t.answer = slices.Index(t.names, t.c.Label); t.answer < 0 {
			n, err := strconv.Atoi(t.c.Label)
			if err != nil || n >= t.columns || n < -t.columns {
				return false, limits.Refuse("header", "no column %s: it has %s", limits.Name(t.c.Label), t.columnsThere())
			}
			t.answer = (n + t.columns) % t.columns
		}
	} else {
		for _, name := range slices.Backward(answerNames) {
			if i := slices.IndexFunc(t.names, func(s string) bool { return strings.EqualFold(s, name) }); i >= 0 {
				t.answer = i
			}
		}
	}
	if t.columns < 2 {
		return false, limits.Refuse(fmt.Sprintf("line %d", t.line), "has one column: a sample has numbers and an answer")
	}
	return header, nil
}

func (t *csvReader) columnsThere() string {
	if t.names == nil {
		return fmt.Sprintf("%d columns and no header", t.columns)
	}
	return limits.Names(t.names, 8)
}

func (t *csvReader) field(i int) string {
	if t.names != nil {
		return fmt.Sprintf("line %d, column %s", t.line, limits.Name(t.names[i]))
	}
	return fmt.Sprintf("line %d, column %d", t.line, i)
}

// add takes a sample.
func (t *csvReader) add(fields []string) error {
	if len(fields) != t.columns {
		return limits.Refuse(fmt.Sprintf("line %d", t.line), "has %d fields, the first line has %d", len(fields), t.columns)
	}
	for i, s := range fields {
		s = strings.TrimSpace(s)
		if i == t.answer {
			if err := t.addAnswer(i, s); err != nil {
				return err
			}
			continue
		}
		v, err := strconv.ParseFloat(s, 64)
		switch {
		case err != nil && !errors.Is(err, strconv.ErrRange):
			return limits.Refuse(t.field(i), "is %s, a number is wanted", limits.Name(s))
		case math.IsNaN(v) || math.Abs(v) > math.MaxFloat32:
			return limits.Refuse(t.field(i), "is %s, a finite number is wanted", limits.Name(s))
		}
		t.values = append(t.values, float32(v))
	}
	return nil
}

func (t *csvReader) addAnswer(i int, s string) error {
	if s == "" {
		return limits.Refuse(t.field(i), "is empty")
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil {
		t.numeric = false
	} else if math.IsNaN(v) || math.Abs(v) > math.MaxFloat32 {
		return limits.Refuse(t.field(i), "is %s, a finite number is wanted", limits.Name(s))
	}
	t.answers = append(t.answers, v)
	t.words = append(t.words, strings.Clone(s))
	return nil
}

func (t *csvReader) table() (*Table, error) {
	n := int64(len(t.words))
	if n == 0 {
		return nil, limits.Refuse("", "holds no sample")
	}
	out := &Table{}
	samples, err := TensorRows(onnx.FromSlice(t.values, n, int64(t.columns-1)))
	if err != nil {
		return nil, err
	}
	if samples.(tensorRows).t.DType == onnx.Float {
		if err := t.c.Normalize.Normalize(Tensor(samples)); err != nil {
			return nil, err
		}
	}
	answers, err := t.answerRows(out)
	if err != nil {
		return nil, err
	}
	out.Columns = []Column{{Kind: Samples, Rows: samples}, {Kind: Answers, Rows: answers}}
	return out, nil
}

func (t *csvReader) answerRows(out *Table) (Rows, error) {
	if !t.numeric || t.c.Classes != nil {
		labels, classes, err := classNumbers(t.words, t.c.Classes)
		if err != nil {
			return nil, err
		}
		out.Classes = classes
		return TensorRows(onnx.FromSlice(labels))
	}
	if slices.ContainsFunc(t.answers, func(v float64) bool { return v != math.Trunc(v) }) {
		floats := make([]float32, len(t.answers))
		for i, v := range t.answers {
			floats[i] = float32(v)
		}
		return TensorRows(onnx.FromSlice(floats))
	}
	whole := make([]int64, len(t.answers))
	for i, v := range t.answers {
		whole[i] = int64(v)
	}
	return TensorRows(onnx.FromSlice(whole))
}

// classNumbers gives each word the number of its class: known ones, or all that there are in the order of their names.
func classNumbers(words, known []string) (labels []int64, classes []string, err error) {
	classes = known
	if classes == nil {
		classes = slices.Compact(slices.Sorted(slices.Values(words)))
	}
	if len(classes) > maxClasses {
		return nil, nil, limits.Refuse("", "%d classes, at most %d", len(classes), maxClasses)
	}
	number := map[string]int64{}
	for i, c := range classes {
		number[c] = int64(i)
	}
	labels = make([]int64, len(words))
	for i, w := range words {
		n, ok := number[w]
		if !ok {
			return nil, nil, limits.Refuse("", "class %s is not among those trained on: %s", limits.Name(w), limits.Names(classes, 10))
		}
		labels[i] = n
	}
	return labels, classes, nil
}

// shortLines refuses lines that no table of numbers has, before they fill the memory.
type shortLines struct {
	r      io.Reader
	most   int // bytes of a line; 0: maxCSVLine
	length int
	line   int
}

func (s *shortLines) Read(b []byte) (int, error) {
	n, err := s.r.Read(b)
	for rest := b[:n]; ; {
		i := bytes.IndexByte(rest, '\n')
		if i < 0 {
			s.length += len(rest)
			break
		}
		s.length, rest = 0, rest[i+1:]
		s.line++
	}
	if s.most == 0 {
		s.most = maxCSVLine
	}
	if s.length > s.most {
		return 0, limits.Refuse(fmt.Sprintf("line %d", s.line+1), "has more than %d bytes", s.most)
	}
	return n, err
}
