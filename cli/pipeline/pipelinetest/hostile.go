package pipelinetest

import (
	"strings"

	"graft/onnx/limits/limitstest"
)

const someStep = "\nsteps: [{name: a, verb: check, args: x}]\n"

// Hostile are pipelines that must be refused when they are read: Y01 to Y10.
func Hostile() []limitstest.Case {
	return []limitstest.Case{
		{ID: "Y01", What: "alias bomb", Bytes: []byte(bomb()), Want: "aliases counted as often as they are used"},
		{ID: "Y02", What: "nested brackets", Bytes: []byte("steps: " + strings.Repeat("[", 200_000)), Want: ""},
		{ID: "Y02", What: "nested closed", Bytes: []byte("steps: " + strings.Repeat("[", 40) + strings.Repeat("]", 40)), Want: "nested more than 32 deep"},
		{ID: "Y02", What: "nested mappings", Bytes: []byte("steps: " + strings.Repeat("{a: ", 9000)), Want: ""},
		{ID: "Y02", What: "indented", Bytes: []byte(indented()), Want: ""},
		{ID: "Y03", What: "merge key", Bytes: []byte("x: &x {name: a}\nsteps:\n  - <<: *x\n    verb: check\n"), Want: "merge keys"},
		{ID: "Y03", What: "cyclic alias", Bytes: []byte("inputs: &x\n  a: *x" + someStep), Want: ""},
		{ID: "Y03", What: "cycle in a list", Bytes: []byte("steps: &x [*x]\n"), Want: "contains itself"},
		{ID: "Y04", What: "duplicate key", Bytes: []byte("name: a\nname: b" + someStep), Want: "twice"},
		{ID: "Y04", What: "duplicate input", Bytes: []byte("inputs: {a: x, a: y}" + someStep), Want: "twice"},
		{ID: "Y04", What: "unknown key", Bytes: []byte("matrx: {a: [1]}" + someStep), Want: "did you mean matrix?"},
		{ID: "Y04", What: "two documents", Bytes: []byte("name: a" + someStep + "---\nname: b\n"), Want: "more than one document"},
		{ID: "Y04", What: "empty", Bytes: []byte(""), Want: "is empty"},
		{ID: "Y04", What: "only a comment", Bytes: []byte("# nothing\n"), Want: ""},
		{ID: "Y04", What: "no steps", Bytes: []byte("name: a\nsteps: []\n"), Want: "has no steps"},
		{ID: "Y04", What: "a list", Bytes: []byte("- a\n"), Want: "wants keys with values"},
		{ID: "Y04", What: "a number", Bytes: []byte("5\n"), Want: "wants keys with values"},
		{ID: "Y04", What: "key that is a list", Bytes: []byte("[a]: b\n"), Want: ""},
		{ID: "Y04", What: "matrix explosion", Bytes: []byte(explosion()), Want: "more than 4096 cells"},
		{ID: "Y04", What: "many steps", Bytes: []byte("steps:\n" + strings.Repeat("- {name: a, verb: b}\n", 501)), Want: "at most 500"},
		{ID: "Y04", What: "step twice", Bytes: []byte("steps:\n- {name: a, verb: check}\n- {name: a, verb: check}\n"), Want: "the name is there twice"},
		{ID: "Y04", What: "except everything", Bytes: []byte("matrix: {a: [1]}\nexcept: [{}]" + someStep), Want: "leave out everything"},
		{ID: "Y04", What: "except a stranger", Bytes: []byte("matrix: {a: [1]}\nexcept: [{a: 2}]" + someStep), Want: "has no value"},
		{ID: "Y04", What: "escape in a name", Bytes: []byte("name: \"a\\x1b[2J\"" + someStep), Want: "wants letters"},
		{ID: "Y04", What: "reference that is open", Bytes: []byte("inputs: {a: \"${inputs.\"}" + someStep), Want: "without }"},
		{ID: "Y05", What: "huge scalar", Bytes: []byte("name: " + strings.Repeat("a", 2<<20)), Want: "bytes, a pipeline has at most"},
		{ID: "Y05", What: "name of a megabyte", Bytes: []byte("name: " + strings.Repeat("a", 900_000) + someStep), Want: "wants letters"},
		{ID: "Y06", What: "python object", Bytes: []byte("name: !!python/object:os.system x" + someStep), Want: "the tag"},
		{ID: "Y06", What: "own tag", Bytes: []byte("name: !x a" + someStep), Want: "the tag"},
		{ID: "Y06", What: "binary", Bytes: []byte("name: !!binary aGFsbG8=" + someStep), Want: "the tag"},
		{ID: "Y07", What: "environment", Bytes: []byte("inputs: {a: \"${HOME}/x\"}" + someStep), Want: "names no input"},
		{ID: "Y07", What: "bare variable", Bytes: []byte("inputs: {a: $HOME/x}" + someStep), Want: "a dollar sign is written $$"},
		{ID: "Y07", What: "output elsewhere", Bytes: []byte("steps: [{name: a, verb: check, args: x, out: ../y}]"), Want: "one file, without a folder"},
		{ID: "Y07", What: "absolute output", Bytes: []byte("steps: [{name: a, verb: check, args: x, out: /y}]"), Want: "one file, without a folder"},
		{ID: "Y07", What: "output over state", Bytes: []byte("steps: [{name: a, verb: check, args: x, out: Step.json}]"), Want: "one file, without a folder"},
		{ID: "Y07", What: "name of a step", Bytes: []byte("steps: [{name: ../a, verb: check, args: x}]"), Want: "wants letters"},
		{ID: "Y08", What: "cycle", Bytes: []byte("steps:\n- {name: a, verb: check, args: x, after: b}\n- {name: b, verb: check, args: x, after: c}\n- {name: c, verb: check, args: x, after: a}\n"), Want: "waits for itself"},
		{ID: "Y08", What: "itself", Bytes: []byte("steps:\n- {name: a, verb: check, args: \"${steps.a}\", out: y}\n"), Want: "waits for itself"},
		{ID: "Y09", What: "no is no truth", Bytes: []byte("steps: [{name: a, verb: check, args: x, alone: no}]"), Want: "wants true or false"},
		{ID: "Y09", What: "null", Bytes: []byte("steps: [{name: a, verb: check, args: ~}]"), Want: "has no value"},
		{ID: "Y10", What: "UTF-16", Bytes: []byte("\xff\xfen\x00a\x00m\x00e\x00"), Want: "not UTF-8"},
		{ID: "Y10", What: "NUL", Bytes: []byte("name: a\x00b" + someStep), Want: "not UTF-8"},
		{ID: "Y10", What: "tabs", Bytes: []byte("steps:\n\t- name: a\n"), Want: ""},
	}
}

func bomb() string {
	var b strings.Builder
	b.WriteString("inputs:\n  a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n")
	for i := 1; i < 10; i++ {
		last := "*a" + string(rune('0'+i-1))
		b.WriteString("  a" + string(rune('0'+i)) + ": &a" + string(rune('0'+i)) + " [" + strings.Repeat(last+", ", 9) + last + "]\n")
	}
	return b.String() + someStep
}

func indented() string {
	var b strings.Builder
	for i := range 1200 {
		b.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	return b.String()
}

func explosion() string {
	var b strings.Builder
	b.WriteString("matrix:\n")
	for i := range 13 {
		b.WriteString("  a" + string(rune('a'+i)) + ": [1, 2]\n")
	}
	return b.String() + someStep
}
