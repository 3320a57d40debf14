package pipeline

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"graft/onnx/limits/limitstest"
)

const someStep = "\nsteps: [{name: a, verb: check, args: x}]\n"

// hostile are pipelines that are refused, by what the message says. Y01 to Y10 are the families.
var hostile = map[string]struct{ data, want string }{
	"Y01 alias bomb":         {bomb(), "aliases counted as often as they are used"},
	"Y02 nested brackets":    {"steps: " + strings.Repeat("[", 200_000), ""},
	"Y02 nested closed":      {"steps: " + strings.Repeat("[", 40) + strings.Repeat("]", 40), "nested more than 32 deep"},
	"Y02 nested mappings":    {"steps: " + strings.Repeat("{a: ", 9000), ""},
	"Y02 indented":           {indented(), ""},
	"Y03 merge key":          {"x: &x {name: a}\nsteps:\n  - <<: *x\n    verb: check\n", "merge keys"},
	"Y03 cyclic alias":       {"inputs: &x\n  a: *x" + someStep, ""},
	"Y03 cycle in a list":    {"steps: &x [*x]\n", "contains itself"},
	"Y04 duplicate key":      {"name: a\nname: b" + someStep, "twice"},
	"Y04 duplicate input":    {"inputs: {a: x, a: y}" + someStep, "twice"},
	"Y04 unknown key":        {"matrx: {a: [1]}" + someStep, "did you mean matrix?"},
	"Y05 huge scalar":        {"name: " + strings.Repeat("a", 100<<20), "bytes, a pipeline has at most"},
	"Y05 name of a megabyte": {"name: " + strings.Repeat("a", 900_000) + someStep, "wants letters"},
	"Y06 python object":      {"name: !!python/object:os.system x" + someStep, "the tag"},
	"Y06 own tag":            {"name: !x a" + someStep, "the tag"},
	"Y06 binary":             {"name: !!binary aGFsbG8=" + someStep, "the tag"},
	"Y07 environment":        {"inputs: {a: \"${HOME}/x\"}" + someStep, "names no input"},
	"Y07 bare variable":      {"inputs: {a: $HOME/x}" + someStep, "a dollar sign is written $$"},
	"Y07 output elsewhere":   {"steps: [{name: a, verb: check, args: x, out: ../y}]", "one file, without a folder"},
	"Y07 absolute output":    {"steps: [{name: a, verb: check, args: x, out: /y}]", "one file, without a folder"},
	"Y07 output over state":  {"steps: [{name: a, verb: check, args: x, out: Step.json}]", "one file, without a folder"},
	"Y07 name of a step":     {"steps: [{name: ../a, verb: check, args: x}]", "wants letters"},
	"Y08 cycle":              {"steps:\n- {name: a, verb: check, args: x, after: b}\n- {name: b, verb: check, args: x, after: c}\n- {name: c, verb: check, args: x, after: a}\n", "waits for itself"},
	"Y08 itself":             {"steps:\n- {name: a, verb: check, args: \"${steps.a}\", out: y}\n", "waits for itself"},
	"Y09 no is no truth":     {"steps: [{name: a, verb: check, args: x, alone: no}]", "wants true or false"},
	"Y09 null":               {"steps: [{name: a, verb: check, args: ~}]", "has no value"},
	"Y10 UTF-16":             {"\xff\xfen\x00a\x00m\x00e\x00", "not UTF-8"},
	"Y10 NUL":                {"name: a\x00b" + someStep, "not UTF-8"},
	"Y10 tabs":               {"steps:\n\t- name: a\n", ""},
	"two documents":          {"name: a" + someStep + "---\nname: b\n", "more than one document"},
	"empty":                  {"", "is empty"},
	"only a comment":         {"# nothing\n", ""},
	"no steps":               {"name: a\nsteps: []\n", "has no steps"},
	"a list":                 {"- a\n", "wants keys with values"},
	"a number":               {"5\n", "wants keys with values"},
	"key that is a list":     {"[a]: b\n", ""},
	"matrix explosion":       {explosion(), "more than 4096 cells"},
	"many steps":             {"steps:\n" + strings.Repeat("- {name: a, verb: b}\n", 501), "at most 500"},
	"step twice":             {"steps:\n- {name: a, verb: check}\n- {name: a, verb: check}\n", "the name is there twice"},
	"except everything":      {"matrix: {a: [1]}\nexcept: [{}]" + someStep, "leave out everything"},
	"except a stranger":      {"matrix: {a: [1]}\nexcept: [{a: 2}]" + someStep, "has no value"},
	"escape in a name":       {"name: \"a\\x1b[2J\"" + someStep, "wants letters"},
	"reference that is open": {"inputs: {a: \"${inputs.\"}" + someStep, "without }"},
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

func TestHostile(t *testing.T) {
	for name, c := range hostile {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "p.yaml")
			if err := os.WriteFile(path, []byte(c.data), 0o600); err != nil {
				t.Fatal(err)
			}
			var err error
			var kib int
			var known bool
			if used := limitstest.CPU(t, func() { kib, known = limitstest.Peak(t, func() { _, err = Read(path) }) }); used > time.Second {
				t.Errorf("takes %v", used)
			}
			if known && kib > 64<<10 {
				t.Errorf("takes %d KiB", kib)
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("%v, want %q", err, c.want)
			}
			if len(err.Error()) > 2000 || strings.ContainsAny(err.Error(), "\x1b\n") {
				t.Errorf("message of %d bytes: %.200q", len(err.Error()), err)
			}
		})
	}
}

// Aliases that stay within the bounds, a byte order mark and values that other readers change are taken as they are.
func TestTaken(t *testing.T) {
	for name, c := range map[string]struct{ data, want string }{
		"alias":     {"inputs: {a: &p x.onnx, b: *p}\nsteps: [{name: a, verb: check, args: \"${inputs.b}\"}]", "check -- x.onnx"},
		"BOM":       {"\ufeffsteps: [{name: a, verb: check, args: x}]", "check -- x"},
		"CR":        {"steps:\r- {name: a, verb: check, args: x}\r", "check -- x"},
		"no":        {"steps: [{name: a, verb: check, args: no}]", "check -- no"},
		"octal":     {"steps: [{name: a, verb: check, args: 0777}]", "check -- 0777"},
		"huge":      {"steps: [{name: a, verb: check, args: [1e400, .nan]}]", "check -- 1e400 .nan"},
		"date":      {"steps: [{name: a, verb: check, args: 2001-01-01}]", "check -- 2001-01-01"},
		"dollar":    {"steps: [{name: a, verb: check, args: $$x}]", "check -- $x"},
		"dash":      {"steps: [{name: a, verb: check, args: --force}]", "check -- --force"},
		"list":      {"steps: [{name: a, verb: check, flags: {b: [1, 2], c: true}}]", "check --b=1 --b=2 --c=true --"},
		"two words": {"steps: [{name: a, verb: runtime info}]", "runtime info --"},
	} {
		f, err := Parse("p.yaml", []byte(c.data))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		plan, err := f.Plan(Places{Work: t.TempDir()})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := strings.Join(plan.Runs[0].Command(), " "); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("matrix: {a: [1, 2]}\nsteps:\n- {name: a, verb: check, args: \"${matrix.a}\", out: x}\n- {name: b, verb: check, args: \"${steps.a}\"}\n"))
	for _, c := range hostile {
		if len(c.data) < 10_000 {
			f.Add([]byte(c.data))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := Parse("p.yaml", data)
		if err != nil {
			return
		}
		plan, err := p.Plan(Places{Work: "/nowhere"})
		if err != nil {
			return
		}
		for _, r := range plan.Runs {
			if filepath.Dir(r.Folder) != "/nowhere" {
				t.Fatalf("a step's folder is %q", r.Folder)
			}
			for _, out := range r.Outputs() {
				if filepath.Dir(out) != r.Folder {
					t.Fatalf("an output is %q", out)
				}
			}
		}
	})
}
