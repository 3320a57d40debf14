package rewrite

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"graft/onnx/op"
)

// TestStepsComplete: there is a step for every version of every operator up to the engines' opset, but its first, and for
// no other. testdata/versions.txt is made by testdata/peers/versions.py.
func TestStepsComplete(t *testing.T) {
	data, err := os.ReadFile("testdata/versions.txt")
	if err != nil {
		t.Fatal(err)
	}
	type key struct {
		op      string
		version int64
	}
	known := map[key]int{}
	for _, family := range stepFamilies {
		for _, s := range family {
			known[key{s.op, s.version}]++
		}
	}
	total := 0
	for line := range strings.Lines(string(data)) {
		fields := strings.Fields(line)
		if fields[0] == "#" {
			continue
		}
		for _, f := range fields[2:] {
			version, err := strconv.ParseInt(f, 10, 64)
			if err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			if version > op.Opset {
				continue
			}
			total++
			k := key{fields[0], version}
			if known[k] != 1 {
				t.Errorf("%d steps for %s %d, want 1", known[k], k.op, k.version)
			}
			delete(known, k)
		}
	}
	for k := range known {
		t.Errorf("a step for %s %d, which there is no version of", k.op, k.version)
	}
	if total < 280 {
		t.Errorf("only %d versions are listed", total)
	}
}
