package tokenizer

import (
	"math"
	"slices"

	"graft/onnx/limits"
)

// settings reads the members of an object: each that there is must be asked for, so that a setting that would change what tokens come
// out is never passed over. The first fault is kept.
type settings struct {
	o     *object
	field string
	known []string
	err   error
}

func (s *settings) fail(key, format string, args ...any) {
	if s.err == nil {
		s.err = limits.Refuse(s.field, limits.Name(key)+" "+format, args...)
	}
}

func (s *settings) get(key string) any {
	s.known = append(s.known, key)
	v, _ := s.o.get(key)
	return v
}

func (s *settings) flag(key string, otherwise bool) bool {
	switch v := s.get(key).(type) {
	case nil:
	case bool:
		return v
	default:
		s.fail(key, "is no truth value")
	}
	return otherwise
}

func (s *settings) text(key, otherwise string) string {
	switch v := s.get(key).(type) {
	case nil:
	case string:
		return v
	default:
		s.fail(key, "is no text")
	}
	return otherwise
}

func (s *settings) integer(key string, otherwise int) int {
	switch v := s.get(key).(type) {
	case nil:
	case float64:
		if v == math.Trunc(v) && math.Abs(v) <= math.MaxInt32 {
			return int(v)
		}
		s.fail(key, "is %v, wants an integer", v)
	default:
		s.fail(key, "is no number")
	}
	return otherwise
}

func (s *settings) list(key string) []any {
	switch v := s.get(key).(type) {
	case nil:
	case []any:
		return v
	default:
		s.fail(key, "is no list")
	}
	return nil
}

func (s *settings) object(key string) *object {
	switch v := s.get(key).(type) {
	case nil:
	case *object:
		return v
	default:
		s.fail(key, "is no object")
	}
	return nil
}

// ignore are settings that change no token.
func (s *settings) ignore(keys ...string) { s.known = append(s.known, keys...) }

// end is the first fault, or that of a member that nothing asked for.
func (s *settings) end() error {
	if s.err != nil {
		return s.err
	}
	for _, key := range s.o.keys {
		if !slices.Contains(s.known, key) {
			return limits.Refuse(s.field, "setting %s is not known", limits.Name(key))
		}
	}
	return nil
}
