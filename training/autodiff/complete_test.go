package autodiff

import (
	"testing"

	"graft/onnx/op"
)

// TestComplete holds every operator of the table to a rule, an expression, a zero gradient or a reason.
func TestComplete(t *testing.T) {
	for _, name := range op.Names() {
		r, ok := rules[name]
		if !ok {
			t.Errorf("%s: no row", name)
			continue
		}
		said := 0
		for _, is := range []bool{r.grad != nil, r.expand != nil, r.zero, r.none != ""} {
			if is {
				said++
			}
		}
		if said != 1 {
			t.Errorf("%s: the row says %d things, want one", name, said)
		}
	}
	total := 0
	for _, f := range families {
		total += len(f)
		for _, r := range f {
			if op.Lookup(r.op) == nil {
				t.Errorf("%s: a row for no operator", r.op)
			}
		}
	}
	if total != len(rules) {
		t.Errorf("%d rows for %d operators: some are there twice", total, len(rules))
	}
}
