package pipeline

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"graft/cli/pipeline/pipelinetest"
	"graft/onnx/limits/limitstest"
)

func TestHostile(t *testing.T) {
	cases := append(pipelinetest.Hostile(), limitstest.Case{ID: "Y05", What: "a hundred megabytes", Bytes: bytes.Repeat([]byte("a"), 100<<20), Want: "104857600 bytes, a pipeline has at most 1048576"})
	for _, c := range cases {
		t.Run(c.Name(), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "p.yaml")
			if err := os.WriteFile(path, c.Bytes, 0o600); err != nil {
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
			if err == nil || !strings.Contains(err.Error(), c.Want) {
				t.Fatalf("%v, want %q", err, c.Want)
			}
			if len(err.Error()) > 2000 || strings.ContainsAny(err.Error(), "\x1b\n") {
				t.Errorf("message of %d bytes: %.200q", len(err.Error()), err)
			}
		})
	}
}

// Bounds that Read does not come to.
func TestHostileBounds(t *testing.T) {
	if _, err := Parse("p.yaml", bytes.Repeat([]byte("#\n"), maxBytes)); err == nil || !strings.Contains(err.Error(), "2097152 bytes, a pipeline has at most 1048576") {
		t.Error(err)
	}
	axes, args := "", ""
	for _, axis := range "abcdefghijkl" { // 4096 cells
		axes += string(axis) + ": [1, 2], "
		args += "${matrix." + string(axis) + "}"
	}
	text := "matrix: {" + strings.TrimSuffix(axes, ", ") + "}\nsteps:\n"
	for _, name := range []string{"x", "y", "z"} {
		text += "- {name: " + name + ", verb: check, args: \"" + args + "\"}\n"
	}
	f, err := Parse("p.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Plan(Places{Work: t.TempDir()}); err == nil || !strings.Contains(err.Error(), "more than 10000 steps and cells") {
		t.Error(err)
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
	for _, c := range pipelinetest.Hostile() {
		if len(c.Bytes) < 10_000 {
			f.Add(c.Bytes)
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
