package runtime

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestPlacement(t *testing.T) {
	nodes := []assigned{
		{CUDA, "", "Conv", "c"}, {CPU, "", "LogSoftmax", "out"}, {CPU, "", "Sum", "s1"}, {CPU, "com.microsoft", "Gelu", "g"},
		{CPU, "", "Gather", "shape/Gather 1"}, {CPU, "", "Gather", "kept"}, {CPU, "ai.onnx", "Sum", ""}, {CPU, "", "Sum", "s3"},
	}
	p := placementOf(CUDA, nodes, map[string]bool{"shape/Gather 1": true})
	if p.Chosen != 1 || p.Provider != CUDA {
		t.Errorf("%+v", p)
	}
	const want = `Sum (3: "s1", "s3", ...), Gather ("kept"), LogSoftmax ("out"), com.microsoft::Gelu ("g")`
	if got := FallbackText(p.Fallback); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	var missing *MissingError
	if err := p.strictError(); !errors.As(err, &missing) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), CUDA) {
		t.Error(err)
	}
	if p := placementOf(CPU, nodes, nil); len(p.Fallback) != 0 || p.strictError() != nil {
		t.Errorf("the CPU falls back to itself: %+v", p)
	}
	many := Fallback{Operator: "Add\x1b[2J", Nodes: slices.Repeat([]string{""}, 2)}
	if got := FallbackText([]Fallback{many, {Operator: "Add", Nodes: []string{"a\nb"}}}); got != `Add [2J (2), Add ("a")` {
		t.Errorf("%q", got)
	}
}
