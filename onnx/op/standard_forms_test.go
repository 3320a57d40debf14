package op

import (
	"strings"
	"testing"
)

// Every line of the list of forms is understood, and every row of the table has a form.
func TestForms(t *testing.T) {
	lines, forms := strings.Count(standardText, "\n"), 0
	for key := range standard().lines {
		list := Forms(key[0], key[1])
		forms += len(list)
		for i, f := range list {
			if i > 0 && list[i-1].Since >= f.Since {
				t.Errorf("%v: version %d behind %d", key, f.Since, list[i-1].Since)
			}
			if f.Since < 1 || f.Since > NewestOpset || f.MaxIn >= 0 && f.MinIn > f.MaxIn || f.MaxOut >= 0 && f.MinOut > f.MaxOut || f.MaxIn > len(f.Inputs) || f.MaxOut > len(f.Outputs) {
				t.Errorf("%v: %+v", key, f)
			}
			for _, a := range f.Attributes {
				if a.Name == "" || a.Kind == "" || strings.ContainsAny(a.Kind, "!:=") || a.Required && a.HasDefault {
					t.Errorf("%v: attribute %+v", key, a)
				}
			}
			for _, in := range append(f.Inputs, f.Outputs...) {
				if in.Type == "" || len(in.Elements) == 0 && !in.Other {
					t.Errorf("%v: input %+v", key, in)
				}
			}
		}
	}
	if sets := strings.Count(standardText, "\nset "); forms != lines-sets-1 {
		t.Errorf("%d forms of %d lines with %d sets", forms, lines, sets)
	}
	for name := range table {
		if f, _ := FormOf("ai.onnx", name, NewestOpset); f == nil {
			t.Errorf("%s has no form", name)
		}
	}
	if f, since := FormOf("", "Clip", 10); f == nil || f.Since != 6 || since != 1 || f.MaxIn != 1 {
		t.Errorf("Clip in opset 10: %+v", f)
	}
	if a, ok := standard().of("", "RNN")[0].Attribute("activations"); !ok || a.Kind != "strings" || !a.HasDefault || a.Default != "Tanh,Tanh" {
		t.Errorf("activations of RNN: %+v", a)
	}
	if f, since := FormOf("", "Gelu", 19); f != nil || since != 20 {
		t.Errorf("Gelu in opset 19: %+v", f)
	}
}
