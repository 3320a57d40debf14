package bias

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"graft/onnx/limits"
)

// members gives the members of a JSON object one by one: value takes the next value from the decoder, or leaves it.
func members(data []byte, value func(name string, d *json.Decoder) error) error {
	d := json.NewDecoder(bytes.NewReader(data))
	if err := open(d, '{'); err != nil {
		return err
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		before := d.InputOffset()
		if err := value(name.(string), d); err != nil {
			return err
		}
		if d.InputOffset() == before {
			if err := pass(d); err != nil {
				return err
			}
		}
	}
	if _, err := d.Token(); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("something follows the JSON value, at byte %d", d.InputOffset())
	}
	return nil
}

// elements gives the elements of a JSON list one by one, at most most; one of more than maxLine bytes is nil.
func elements(d *json.Decoder, most int, element func(i int, raw json.RawMessage)) error {
	if err := open(d, '['); err != nil {
		return err
	}
	for i := 0; d.More(); i++ {
		if i >= most {
			return limits.Refuse("", "more than %d entries", most)
		}
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return err
		}
		if len(raw) > maxLine {
			raw = nil
		}
		element(i, raw)
	}
	_, err := d.Token()
	return err
}

// open takes the beginning of an object or a list.
func open(d *json.Decoder, want json.Delim) error {
	t, err := d.Token()
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("nothing where %v should begin", want)
	}
	if err == nil && t != want {
		err = fmt.Errorf("no %v begins at byte %d", want, d.InputOffset())
	}
	return err
}

// pass goes over a value.
func pass(d *json.Decoder) error {
	for depth := 0; ; {
		t, err := d.Token()
		if err != nil {
			return err
		}
		switch t {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		if depth == 0 {
			return nil
		}
	}
}
