package op

import (
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"graft/onnx"
)

// otherwise are the rows that differ from the standard's list of inputs and attributes, and why.
var otherwise = map[string]string{
	"Loop":    "the first two inputs are counted, and may be absent",
	"Scan":    "the first input of its form of opset 8 may be absent",
	"Reshape": "read in the form of opset 1, too",
}

// TestStandard holds the table against the standard, as testdata/schemas.py writes it down: every operator of the default
// domain has a row, with its numbers of inputs and outputs, its attributes, and the opsets that brought its element types.
func TestStandard(t *testing.T) {
	data, err := os.ReadFile("testdata/schemas.txt")
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{}
	for line := range strings.Lines(string(data)) {
		f := strings.Fields(line)
		s := Lookup(f[0])
		named[f[0]] = true
		if s == nil {
			t.Errorf("%s: no row", f[0])
			continue
		}
		number := func(i int) int { n, _ := strconv.Atoi(f[i]); return n }
		if lo, hi, outs := number(1), number(2), number(3); otherwise[s.Name] == "" && s.MinIn != lo || s.MaxIn != hi || s.Out != outs {
			t.Errorf("%s: %d to %d inputs and %d outputs, the standard has %d to %d and %d", s.Name, s.MinIn, s.MaxIn, s.Out, lo, hi, outs)
		}
		var want []string
		if f[4] != "-" {
			want = strings.Split(f[4], ",")
		}
		have := slices.Sorted(slices.Values(s.Attributes))
		if !slices.Equal(have, want) && otherwise[s.Name] == "" {
			t.Errorf("%s: attributes %v, the standard has %v", s.Name, have, want)
		}
		standardTypes(t, s, f[5:])
	}
	for _, name := range Names() {
		if !named[name] && Lookup(name).Since <= 27 {
			t.Errorf("%s: the standard has no such operator", name)
		}
	}
}

// standardTypes compares the element types of the operand that the row speaks of.
func standardTypes(t *testing.T, s *Schema, places []string) {
	if s.Types == nil {
		return
	}
	place, want := "o0", map[onnx.DataType]int64{}
	if s.TypedBy >= 0 {
		place = "i" + strconv.Itoa(s.TypedBy)
	}
	for _, p := range places {
		if list, ok := strings.CutPrefix(p, place+":"); ok {
			for _, e := range strings.Split(list, ",") {
				name, since, _ := strings.Cut(e, "@")
				d, ok := onnx.ParseDataType(name)
				if !ok {
					t.Errorf("%s: element type %q", s.Name, name)
				}
				want[d], _ = strconv.ParseInt(since, 10, 64)
			}
		}
	}
	for d := onnx.Float; d.Valid(); d++ {
		since, ok := s.Types.since(d)
		std, inStd := want[d]
		delete(want, d)
		if ok != inStd && !(ok && since > 27) || ok && inStd && max(since, s.Since) != max(std, s.Since) {
			t.Errorf("%s: %v since %d (%v), the standard has it since %d (%v)", s.Name, d, since, ok, std, inStd)
		}
	}
	if len(want) > 0 {
		t.Errorf("%s: %v", s.Name, slices.Collect(maps.Keys(want)))
	}
}
