package language

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"graft/onnx/limits"
)

const (
	maxConfig  = 8 << 20 // bytes of a config.json
	maxDepth   = 32
	maxMembers = 1 << 20 // values in it
)

// object is a JSON object whose keys are each there once.
type object map[string]any

// parseJSON reads one object: nothing behind it, no key twice, values of known depth. Numbers stay text.
func parseJSON(data []byte) (object, error) { return parseLarge(data, maxConfig, maxMembers) }

// parseLarge is parseJSON for other numbers of bytes and of values.
func parseLarge(data []byte, bytesMost, valuesMost int64) (object, error) {
	switch {
	case int64(len(data)) > bytesMost:
		return nil, limits.Refuse("", "%d bytes, at most %d", len(data), bytesMost)
	case !utf8.Valid(data):
		return nil, limits.Refuse("", "is not UTF-8")
	}
	p := &parser{d: json.NewDecoder(bytes.NewReader(data)), left: limits.NewBudget("values", valuesMost), depth: limits.NewDepth(maxDepth)}
	p.d.UseNumber()
	v, err := p.value()
	if err == nil {
		if _, more := p.d.Token(); !errors.Is(more, io.EOF) {
			err = limits.Refuse("", "something stands behind the JSON object")
		}
	}
	if err != nil {
		return nil, err
	}
	o, ok := v.(object)
	if !ok {
		return nil, limits.Refuse("", "is no JSON object")
	}
	return o, nil
}

type parser struct {
	d     *json.Decoder
	left  *limits.Budget
	depth *limits.Depth
}

func (p *parser) token() (json.Token, error) {
	t, err := p.d.Token()
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, limits.Refuse("", "the JSON ends too early")
	}
	if err != nil {
		return nil, limits.Refuse("", "is no JSON at byte %d", p.d.InputOffset())
	}
	return t, p.left.Spend(1, "")
}

func (p *parser) value() (any, error) {
	t, err := p.token()
	if err != nil {
		return nil, err
	}
	d, ok := t.(json.Delim)
	if !ok {
		return t, nil
	}
	if err := p.depth.Enter(""); err != nil {
		return nil, err
	}
	defer p.depth.Leave()
	if d == '[' {
		list := []any{}
		for p.d.More() {
			v, err := p.value()
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err := p.token()
		return list, err
	}
	o := object{}
	for p.d.More() {
		k, err := p.token()
		if err != nil {
			return nil, err
		}
		key, _ := k.(string)
		if _, twice := o[key]; twice {
			return nil, limits.Refuse("", "key %s twice", limits.Name(key))
		}
		if o[key], err = p.value(); err != nil {
			return nil, err
		}
	}
	_, err = p.token()
	return o, err
}

// fields reads members of an object by their types, and gathers what is wrong. A member that is null counts as absent.
type fields struct {
	o     object
	wrong []string
}

func (f *fields) bad(key, format string, args ...any) {
	f.wrong = append(f.wrong, fmt.Sprintf("%s: %s", key, fmt.Sprintf(format, args...)))
}

func (f *fields) has(key string) bool { return f.o[key] != nil }

func (f *fields) whole(key string, otherwise int64) int64 {
	if !f.has(key) {
		return otherwise
	}
	if n, ok := f.o[key].(json.Number); ok {
		if v, err := n.Int64(); err == nil {
			return v
		}
		if v, err := n.Float64(); err == nil && v == math.Trunc(v) && math.Abs(v) < 1<<53 {
			return int64(v)
		}
	}
	f.bad(key, "wants a whole number, is %s", show(f.o[key]))
	return otherwise
}

func (f *fields) number(key string, otherwise float64) float64 {
	if !f.has(key) {
		return otherwise
	}
	if n, ok := f.o[key].(json.Number); ok {
		if v, err := n.Float64(); err == nil {
			return v
		}
	}
	f.bad(key, "wants a number, is %s", show(f.o[key]))
	return otherwise
}

func (f *fields) truth(key string, otherwise bool) bool {
	if !f.has(key) {
		return otherwise
	}
	if v, ok := f.o[key].(bool); ok {
		return v
	}
	f.bad(key, "wants true or false, is %s", show(f.o[key]))
	return otherwise
}

func (f *fields) text(key, otherwise string) string {
	if !f.has(key) {
		return otherwise
	}
	if v, ok := f.o[key].(string); ok {
		return v
	}
	f.bad(key, "wants a text, is %s", show(f.o[key]))
	return otherwise
}

func (f *fields) object(key string) object {
	if !f.has(key) {
		return nil
	}
	v, ok := f.o[key].(object)
	if !ok {
		f.bad(key, "wants an object, is %s", show(f.o[key]))
	}
	return v
}

// texts are the members of a list of texts.
func (f *fields) texts(key string) (list []string) {
	if !f.has(key) {
		return nil
	}
	all, ok := f.o[key].([]any)
	for _, v := range all {
		s, is := v.(string)
		ok = ok && is
		list = append(list, s)
	}
	if !ok {
		f.bad(key, "wants a list of texts")
	}
	return list
}

// show is a value fit for a message.
func show(v any) string {
	switch v := v.(type) {
	case json.Number:
		return limits.Name(v.String())
	case string:
		return limits.Name(v)
	case bool:
		return fmt.Sprint(v)
	case object:
		return "an object"
	}
	return "a list"
}

// all is what is wrong, in one line.
func (f *fields) err() error {
	if len(f.wrong) == 0 {
		return nil
	}
	slices.Sort(f.wrong)
	return limits.Refuse("", "%s", strings.Join(f.wrong, "; "))
}
