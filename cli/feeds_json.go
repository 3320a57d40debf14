package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"graft/onnx"
	"graft/onnx/limits"
)

// jsonFeeds reads nested arrays: {"input": [[1, 2]], ...}, or an array alone for one input. Numbers become what the input
// takes; "NaN" and "Infinity" are written as strings.
func jsonFeeds(g *onnx.Graph, _ pixelScale, feeds map[string]*onnx.Tensor, name, path string) error {
	s, err := readText(path)
	if err != nil {
		return err
	}
	r := jsonReader{d: json.NewDecoder(strings.NewReader(s))}
	r.d.UseNumber()
	token, err := r.d.Token()
	if err != nil {
		return refused(path, jsonError(err))
	}
	if token != json.Delim('{') {
		v, err := theInput(g, name, path)
		if err != nil {
			return err
		}
		if feeds[v.Name], err = r.tensor(v, token); err == nil {
			err = r.end()
		}
		if err != nil {
			return refused(path, err)
		}
		return nil
	}
	if err := r.object(g, feeds, name); err != nil {
		return refused(path, err)
	}
	return nil
}

func jsonError(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the JSON ends too early")
	}
	return fmt.Errorf("is no JSON: %w", err)
}

type jsonReader struct{ d *json.Decoder }

// end says whether anything stands behind the value.
func (r jsonReader) end() error {
	if _, err := r.d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something stands behind the JSON value")
	}
	return nil
}

// object reads the members of an object, all of which are inputs, or of which one is asked for.
func (r jsonReader) object(g *onnx.Graph, feeds map[string]*onnx.Tensor, name string) error {
	names, seen := feedNames(g), map[string]bool{}
	for r.d.More() {
		token, err := r.d.Token()
		if err != nil {
			return jsonError(err)
		}
		key, _ := token.(string)
		if seen[key] {
			return fmt.Errorf("has %s twice", limits.Name(key))
		}
		seen[key] = true
		if name != "" && key != name {
			var skipped json.RawMessage
			if err := r.d.Decode(&skipped); err != nil {
				return jsonError(err)
			}
			continue
		}
		if !slices.Contains(names, key) {
			return fmt.Errorf("has %s, which is no input: there are %s", limits.Name(key), limits.Names(names, 8))
		}
		if token, err = r.d.Token(); err != nil {
			return jsonError(err)
		}
		if feeds[key], err = r.tensor(g.Lookup(key), token); err != nil {
			return fmt.Errorf("%s: %w", limits.Name(key), err)
		}
	}
	if _, err := r.d.Token(); err != nil {
		return jsonError(err)
	}
	if name != "" && !seen[name] {
		return fmt.Errorf("has no %s", limits.Name(name))
	}
	return r.end()
}

// tensor reads a value that begins with a token.
func (r jsonReader) tensor(v *onnx.Value, begin json.Token) (*onnx.Tensor, error) {
	e := elements{dtype: v.Type.DType}
	if err := e.supported(); err != nil {
		return nil, err
	}
	dims, err := r.value(&e, begin, 0)
	if err != nil {
		return nil, err
	}
	return e.tensor(dims)
}

// value reads one element, or an array whose members have the same dims.
func (r jsonReader) value(e *elements, token json.Token, depth int) (dims []int64, err error) {
	const deepest = 32
	switch t := token.(type) {
	case json.Number:
		return []int64{}, e.add(t.String())
	case string:
		if e.dtype != onnx.String && !slices.Contains([]string{"NaN", "Infinity", "-Infinity"}, t) {
			return nil, fmt.Errorf("%s stands for a number", quote(t))
		}
		return []int64{}, e.add(t)
	case bool:
		if e.dtype == onnx.String || e.dtype.IsFloat() {
			return nil, fmt.Errorf("%v stands for a %v", t, e.dtype)
		}
		return []int64{}, e.add(map[bool]string{true: "1", false: "0"}[t])
	case nil:
		return nil, errors.New("null is no element")
	}
	if token != json.Delim('[') {
		return nil, fmt.Errorf("%v stands where an array or an element should", token)
	}
	if depth >= deepest {
		return nil, fmt.Errorf("arrays are nested more than %d deep", deepest)
	}
	var inner []int64
	count := int64(0)
	for r.d.More() {
		if token, err = r.d.Token(); err != nil {
			return nil, jsonError(err)
		}
		got, err := r.value(e, token, depth+1)
		if err != nil {
			return nil, err
		}
		if count > 0 && !slices.Equal(got, inner) {
			return nil, fmt.Errorf("arrays of one level have the dims %v and %v", inner, got)
		}
		inner = got
		count++
	}
	if _, err := r.d.Token(); err != nil {
		return nil, jsonError(err)
	}
	return append([]int64{count}, inner...), nil
}
