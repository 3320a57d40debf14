package rewrite

import (
	"testing"

	"graft/onnx/op"
)

// TestStepsComplete: there is a step for every version of every operator up to the engines' opset, but its first, and for
// no other.
func TestStepsComplete(t *testing.T) {
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
	for _, name := range op.StandardNames("") {
		for _, f := range op.Forms("", name)[1:] {
			if f.Since > op.Opset {
				continue
			}
			total++
			k := key{name, f.Since}
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
