package text

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"graft/onnx/limits"
)

// form is how a file's rows are written.
type form uint8

const (
	tabs    form = iota // fields with tabs between, quotes are text
	commas              // fields with commas between, in quotes where they have commas, quotes or line ends
	objects             // an object of JSON a line
)

// reading is a file under way.
type reading struct {
	*layout
	set  *Set
	form form
	at   []int // the columns' places
	text int   // bytes kept
	rows int
}

// read reads a file into a set.
func (l *layout) read(path string, how Reading, s *Set) error {
	f, size, err := limits.OpenRegular(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if size > maxFile {
		return limits.Refuse("", "%d bytes, at most %d are read", size, int64(maxFile))
	}
	head := make([]byte, min(size, limits.RecognizeLen))
	if err := limits.ReadAt(f, head, 0, "file"); err != nil {
		return err
	}
	if err := foreign(path, head, size); err != nil {
		return err
	}
	r := &reading{layout: l, set: s}
	in := newLines(f)
	for begun := false; how.Most == 0 || len(s.Examples) < how.Most; {
		next, err := in.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if r.rows++; r.rows > maxRows {
			return limits.Refuse("", "more than %d rows", maxRows)
		}
		switch {
		case next.data == nil:
			s.skip(next.number, "the line is longer than a megabyte")
			continue
		case len(bytes.TrimSpace(next.data)) == 0:
			continue
		}
		if !begun {
			r.form = formOf(path, next.data)
		}
		row := next.data
		if r.form == commas {
			var ok bool
			if row, ok, err = in.quoted(next, r.whole); err != nil {
				return err
			} else if !ok {
				s.skip(next.number, "a quotation mark is not closed")
				continue
			}
		}
		if !utf8.Valid(row) {
			s.skip(next.number, "is not UTF-8")
			continue
		}
		if !begun {
			begun = true
			if header, err := r.begin(row); err != nil {
				return err
			} else if header {
				continue
			}
		}
		if err := r.row(next.number, row); err != nil {
			return err
		}
	}
	return nil
}

// foreign refuses files that hold no text.
func foreign(path string, head []byte, size int64) error {
	ending := strings.ToLower(filepath.Ext(path))
	pickled := bytes.HasPrefix(head, []byte{0x80}) && len(head) > 1 && head[1] >= 2 && head[1] <= 5
	switch what, hint := limits.Recognize(head, size); {
	case bytes.HasPrefix(head, []byte("PAR1")):
		return limits.Refuse("", "is a Parquet file").WithHint("pandas.read_parquet(FILE).to_json('set.jsonl', orient='records', lines=True) in Python makes JSON Lines of it")
	case pickled || ending == ".pkl" || ending == ".pickle":
		return limits.Refuse("", "is a pickle, which can run any program when it is read").WithHint("where you trust it, write its rows as JSON Lines in Python: json.dumps({'hard_text': …, 'profession': …, 'gender': …}) of each")
	case bytes.HasPrefix(head, []byte("ARROW1")):
		return limits.Refuse("", "is an Arrow file").WithHint("datasets.load_from_disk(FOLDER).to_json('set.jsonl') in Python makes JSON Lines of it")
	case bytes.HasPrefix(head, []byte("\xff\xfe")) || bytes.HasPrefix(head, []byte("\xfe\xff")):
		return limits.Refuse("", "is UTF-16").WithHint("iconv -f UTF-16 -t UTF-8 makes UTF-8 of it")
	case what != "":
		err := limits.Refuse("", "is %s", what)
		if strings.HasPrefix(hint, "unpack") {
			return err.WithHint("%s", hint)
		}
		return err
	}
	return nil
}

// formOf goes by the first row.
func formOf(path string, row []byte) form {
	ending := strings.ToLower(filepath.Ext(path))
	switch {
	case ending == ".jsonl" || ending == ".json" || ending == ".ndjson":
		return objects
	case row[0] == '{' && json.Valid(row):
		return objects
	case bytes.IndexByte(row, '\t') >= 0:
		return tabs
	}
	return commas
}

// begin finds the columns by the first row, and reports whether that is a header.
func (r *reading) begin(row []byte) (header bool, err error) {
	if r.form == objects {
		if t := bytes.TrimSpace(row); t[0] == '[' {
			return false, limits.Refuse("", "is a list of JSON").WithHint("JSON Lines has an object in each line: jq -c '.[]' makes it of a list")
		}
		return false, nil
	}
	fields, reason := r.fields(row)
	if reason != "" {
		return false, limits.Refuse("line 1", "%s", reason)
	}
	if r.at = r.header(fields); r.at != nil {
		return true, nil
	}
	if r.least > 0 && (len(fields) == r.least || !r.exact && len(fields) > r.least) {
		r.at = r.bare
		return false, nil
	}
	return false, limits.Refuse("header", "has the columns %s, wants %s", limits.Names(fields, 12), r.wanted())
}

// fields takes a row of a table apart.
func (r *reading) fields(row []byte) (fields []string, reason string) {
	if r.form == tabs {
		if n := bytes.Count(row, []byte{'\t'}); n >= maxWide {
			return nil, "has more than a thousand fields"
		}
		return strings.Split(string(row), "\t"), ""
	}
	if bytes.Count(row, []byte{','}) >= maxLine/4 {
		return nil, "has too many fields"
	}
	c := csv.NewReader(bytes.NewReader(row))
	c.FieldsPerRecord = -1
	fields, err := c.Read()
	if err != nil {
		return nil, "is no row with commas: quotation marks are in the wrong places"
	}
	if _, err := c.Read(); !errors.Is(err, io.EOF) {
		return nil, "quotation marks are in the wrong places"
	}
	return fields, ""
}

// whole reports whether a row with quotes can be taken apart.
func (r *reading) whole(row []byte) bool {
	_, reason := r.fields(row)
	return reason == ""
}

// row reads a row that is no header.
func (r *reading) row(number int, row []byte) error {
	values, reason := r.values(row)
	if reason == "" {
		for i, v := range values {
			if strings.IndexByte(v, 0) >= 0 {
				reason = limits.Name(r.columns[i].names[0]) + " has a zero byte"
			}
		}
	}
	before := len(r.set.Examples)
	if reason == "" {
		reason = r.add(r.set, Example{Line: number}, values)
	}
	if reason != "" {
		r.set.skip(number, "%s", reason)
		return nil
	}
	if len(r.set.Examples) > before {
		e := r.set.Examples[before]
		if r.text += len(e.First) + len(e.Second); r.text > maxText {
			return limits.Refuse("", "has more than %d bytes of text", maxText).WithHint("read a part of it")
		}
	}
	return nil
}

// values are those of the columns.
func (r *reading) values(row []byte) (values []string, reason string) {
	values = make([]string, len(r.columns))
	if r.form != objects {
		fields, reason := r.fields(row)
		if reason != "" {
			return nil, reason
		}
		for i, at := range r.at {
			if at >= len(fields) {
				return nil, "has no field of " + r.columns[i].names[0]
			}
			values[i] = strings.TrimSpace(fields[at])
		}
		return values, ""
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(row, &object); err != nil || object == nil {
		return nil, "is no object of JSON"
	}
	for i, c := range r.columns {
		found := false
		for _, name := range c.names {
			raw, ok := object[name]
			if !ok || found {
				continue
			}
			found = true
			var number json.Number
			if json.Unmarshal(raw, &values[i]) != nil {
				if json.Unmarshal(raw, &number) != nil {
					return nil, name + " is neither text nor a number"
				}
				values[i] = number.String()
			}
		}
		if !found {
			return nil, "has no " + strings.Join(c.names, " or ")
		}
		values[i] = strings.TrimSpace(values[i])
	}
	return values, ""
}
