package cli

import (
	"context"
	"io"
	"math"
	"strings"
	"testing"
)

func TestParseFraction(t *testing.T) {
	for s, want := range map[string]float64{"0.1": 0.1, "25/255": 25.0 / 255, "1e-3": 1e-3, "-2": -2, "0": 0, "+1": 1} {
		if got, err := parseFraction(s); err != nil || got != want {
			t.Errorf("%s: %g, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "NaN", "nan", "Inf", "-inf", "+Infinity", "1e400", "-1e400", "0x1p3", "1_000", "1/0", "0/0", "1/NaN", "1/2/3", "/", "1/", " 1", "1e308/1e-308", "０", "1,5"} {
		if got, err := parseFraction(s); err == nil {
			t.Errorf("%q: accepted as %g", s, got)
		}
	}
}

func TestSpan(t *testing.T) {
	for _, c := range []struct {
		s    span
		x    float64
		want bool
	}{
		{between(0, 1), 0, true}, {between(0, 1), 1, true}, {between(0, 1), math.NaN(), false},
		{below(0, 1), 1, false}, {below(0, 1), 0, true}, {above(0, 1), 0, false}, {above(0, 1), 1, true},
		{between(0, 1), math.Nextafter(1, 2), false}, {between(0, 1), math.Inf(-1), false},
	} {
		if c.s.has(c.x) != c.want {
			t.Errorf("%g in %s: want %t", c.x, c.s, c.want)
		}
	}
	if s := below(0, 1).String() + above(0, 1e-9).String(); s != "[0, 1)(0, 1e-09]" {
		t.Errorf("printed as %s", s)
	}
}

// TestAbsurdNumbers gives every numeric flag of every verb what no run could
// mean: exit code 2, and a message that names flag, value and range.
func TestAbsurdNumbers(t *testing.T) {
	leaves(append([]verb{probeVerb}, verbs...), nil, func(path []string, v *verb) {
		for _, f := range v.allFlags() {
			o, ok := f.(*option)
			if !ok {
				continue
			}
			switch o.make().Get().(type) {
			case float64, int64:
			default:
				continue
			}
			for _, value := range []string{"NaN", "Inf", "-Inf", "1e400", "99999999999999999999", "abc", "", "0x10"} {
				var ran string
				var stderr strings.Builder
				a := &App{Stdout: io.Discard, Stderr: &stderr, verbs: record(append([]verb{probeVerb}, verbs...), &ran)}
				words := append([]string{"graft"}, path...)
				for i := range 9 {
					if least, _ := v.arity(); i < least {
						words = append(words, "x")
					}
				}
				code := a.Run(context.Background(), append(words, "--"+o.name+"="+value))
				first, _, _ := strings.Cut(stderr.String(), "\n")
				if code != exitUsage || ran != "" || !strings.Contains(first, "--"+o.name) || !strings.Contains(first, quote(value)) || !strings.Contains(first, "number in ") {
					t.Errorf("%s --%s=%s: exit %d: %s", strings.Join(path, " "), o.name, value, code, first)
				}
			}
		}
	})
}
