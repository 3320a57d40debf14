package study

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// Parameter is a name with its value: text, a number or a truth.
type Parameter struct {
	Name  string
	Value any
}

// Cell is one experiment: all that its result depends on, in order. Two cells are the same when they say the same.
type Cell []Parameter

// With is c with one more parameter.
func (c Cell) With(name string, value any) Cell {
	return append(c[:len(c):len(c)], Parameter{name, value})
}

// Cross gives every cell with every value of one more parameter; no cells stand for a single empty one.
func Cross[T any](cells []Cell, name string, values ...T) []Cell {
	if cells == nil {
		cells = []Cell{nil}
	}
	out := make([]Cell, 0, len(cells)*len(values))
	for _, c := range cells {
		for _, v := range values {
			out = append(out, c.With(name, v))
		}
	}
	return out
}

// Unique drops cells that stand earlier already.
func Unique(cells []Cell) []Cell {
	seen := map[string]bool{}
	var out []Cell
	for _, c := range cells {
		if key := c.Key(); !seen[key] {
			seen[key] = true
			out = append(out, c)
		}
	}
	return out
}

// Get is the value of a parameter as text, "" when the cell has none of that name.
func (c Cell) Get(name string) string {
	for _, p := range c {
		if p.Name == name {
			return text(p.Value)
		}
	}
	return ""
}

// Float is the value of a parameter as a number, 0 when it is none.
func (c Cell) Float(name string) float64 {
	x, err := strconv.ParseFloat(c.Get(name), 64)
	if err != nil {
		return 0
	}
	return x
}

// String is "method=oes seed=1".
func (c Cell) String() string {
	parts := make([]string, len(c))
	for i, p := range c {
		parts[i] = p.Name + "=" + text(p.Value)
	}
	return strings.Join(parts, " ")
}

func text(v any) string {
	switch v := v.(type) {
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	case float32:
		return strconv.FormatFloat(float64(v), 'g', -1, 32)
	}
	return fmt.Sprint(v)
}

// Key names the cell: 20 hexadecimal digits of what it says.
func (c Cell) Key() string {
	data, err := c.MarshalJSON()
	if err != nil { // values that have no JSON are told apart by their text
		data = []byte(c.String())
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:10])
}

// MarshalJSON writes an object whose fields are in the cell's order.
func (c Cell) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, p := range c {
		if i > 0 {
			b.WriteByte(',')
		}
		name, err := json.Marshal(p.Name)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(p.Value)
		if err != nil {
			return nil, fmt.Errorf("parameter %s: %w", p.Name, err)
		}
		b.Write(name)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// UnmarshalJSON reads what MarshalJSON wrote; numbers keep their digits.
func (c *Cell) UnmarshalJSON(data []byte) error {
	fields, err := Fields(data)
	if err != nil {
		return err
	}
	*c = nil
	for _, f := range fields {
		d := json.NewDecoder(bytes.NewReader(f.Value))
		d.UseNumber()
		var v any
		if err := d.Decode(&v); err != nil {
			return err
		}
		*c = c.With(f.Name, v)
	}
	return nil
}

// Field is one field of a JSON object.
type Field struct {
	Name  string
	Value json.RawMessage
}

// Scalar says that the field is a number, a text or a truth.
func (f Field) Scalar() bool {
	return len(f.Value) > 0 && f.Value[0] != '{' && f.Value[0] != '[' && f.Value[0] != 'n'
}

// Text is a scalar as it stands in a table.
func (f Field) Text() string {
	var s string
	if json.Unmarshal(f.Value, &s) == nil {
		return s
	}
	return string(f.Value)
}

// Fields are the fields of a JSON object in order.
func Fields(object []byte) ([]Field, error) {
	d := json.NewDecoder(bytes.NewReader(object))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return nil, fmt.Errorf("read fields: an object is wanted")
	}
	var out []Field
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, fmt.Errorf("read fields: %w", err)
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, fmt.Errorf("read fields: %w", err)
		}
		out = append(out, Field{fmt.Sprint(name), value})
	}
	return out, nil
}
