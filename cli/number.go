package cli

import (
	"errors"
	"flag"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// span is an interval of numbers; the zero span is [0, 0].
type span struct {
	lo, hi         float64
	openLo, openHi bool
}

// between is [lo, hi].
func between(lo, hi float64) span { return span{lo: lo, hi: hi} }

// below is [lo, hi).
func below(lo, hi float64) span { return span{lo: lo, hi: hi, openHi: true} }

// above is (lo, hi].
func above(lo, hi float64) span { return span{lo: lo, hi: hi, openLo: true} }

func (s span) has(x float64) bool {
	if math.IsNaN(x) || x < s.lo || x > s.hi {
		return false
	}
	return !(s.openLo && x == s.lo) && !(s.openHi && x == s.hi)
}

func (s span) String() string {
	left, right := "[", "]"
	if s.openLo {
		left = "("
	}
	if s.openHi {
		right = ")"
	}
	return left + short(s.lo) + ", " + short(s.hi) + right
}

func short(x float64) string {
	if x == math.Trunc(x) && math.Abs(x) < 1e15 {
		return strconv.FormatFloat(x, 'f', 0, 64)
	}
	return strconv.FormatFloat(x, 'g', -1, 64)
}

// number is a flag with a finite decimal number in the range. initial may be
// outside the range; it then stands for "not given" (ask call.IsSet).
func number(name, arg string, in span, initial float64, usage string) *option {
	return numeric(name, arg, in, initial, usage, parseNumber)
}

// fraction is a number that may also be written as a quotient: 25/255.
func fraction(name, arg string, in span, initial float64, usage string) *option {
	return numeric(name, arg, in, initial, usage, parseFraction)
}

func numeric(name, arg string, in span, initial float64, usage string, parse func(string) (float64, error)) *option {
	return &option{name: name, arg: arg, usage: usage, make: func() flag.Getter {
		return &value[float64]{v: initial, parse: func(s string) (float64, error) {
			x, err := parse(s)
			if err == nil && !in.has(x) {
				err = errors.New("is out of range")
			}
			if err != nil {
				return 0, fmt.Errorf("%w: wants a number in %s", err, in)
			}
			return x, nil
		}}
	}}
}

// integer is a flag with a whole number in [lo, hi].
func integer(name, arg string, lo, hi, initial int64, usage string) *option {
	return &option{name: name, arg: arg, usage: usage, make: func() flag.Getter {
		return &value[int64]{v: initial, parse: func(s string) (int64, error) {
			n, err := strconv.ParseInt(s, 10, 64)
			switch {
			case errors.Is(err, strconv.ErrRange), err == nil && (n < lo || n > hi):
				err = errors.New("is out of range")
			case err != nil:
				err = errors.New("is not a whole number")
			}
			if err != nil {
				return 0, fmt.Errorf("%w: wants a whole number in [%d, %d]", err, lo, hi)
			}
			return n, nil
		}}
	}}
}

// parseNumber reads a finite decimal number; NaN, infinities, hexadecimal
// floats and numbers beyond float64 are refused.
func parseNumber(s string) (float64, error) {
	if strings.ContainsAny(s, "xX_pP") {
		return 0, errors.New("is not a decimal number")
	}
	x, err := strconv.ParseFloat(s, 64)
	switch {
	case errors.Is(err, strconv.ErrRange):
		return 0, errors.New("is too large")
	case err != nil:
		return 0, errors.New("is not a number")
	case math.IsNaN(x) || math.IsInf(x, 0):
		return 0, errors.New("is not finite")
	}
	return x, nil
}

// parseFraction reads "0.1" or "25/255".
func parseFraction(s string) (float64, error) {
	above, below, quotient := strings.Cut(s, "/")
	if !quotient {
		return parseNumber(s)
	}
	a, err := parseNumber(above)
	if err != nil {
		return 0, err
	}
	b, err := parseNumber(below)
	if err != nil {
		return 0, err
	}
	if b == 0 {
		return 0, errors.New("divides by zero")
	}
	x := a / b
	if math.IsInf(x, 0) || math.IsNaN(x) {
		return 0, errors.New("is not finite")
	}
	return x, nil
}
