package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"graft/cli/pipeline"
)

// examplePipelines are the pipelines in testdata, by name.
func examplePipelines(t *testing.T) map[string]string {
	t.Helper()
	paths, err := filepath.Glob("../testdata/pipelines/*.yaml")
	if err != nil || len(paths) < 3 {
		t.Fatalf("%v, %v", paths, err)
	}
	found := map[string]string{}
	for _, path := range paths {
		found[strings.TrimSuffix(filepath.Base(path), ".yaml")] = path
	}
	return found
}

// TestExamplePipelines runs the pipelines of testdata, each twice: the second time nothing may run.
func TestExamplePipelines(t *testing.T) {
	library := runtimeLibrary()
	if library == "" {
		if os.Getenv("ORT_REQUIRED") == "1" {
			t.Fatal("ORT_REQUIRED=1, and there is no ONNX Runtime")
		}
		t.Skip("runs models")
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for name, path := range examplePipelines(t) {
		t.Run(name, func(t *testing.T) {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			file := filepath.Join(dir, filepath.Base(path))
			if err := os.WriteFile(file, data, 0o600); err != nil {
				t.Fatal(err)
			}
			for round, want := range []func(*pipeline.Report) bool{
				func(r *pipeline.Report) bool { return r.OK && r.Ran == len(r.Steps) },
				func(r *pipeline.Report) bool { return r.OK && r.Cached == len(r.Steps) },
			} {
				cmd := exec.Command(exe, "pipeline", "run", file, "--json")
				cmd.Args[0] = "graft"
				cmd.Env = append(os.Environ(), "GRAFT_ORT_LIB="+library)
				var stderr bytes.Buffer
				cmd.Stderr = &stderr
				out, err := cmd.Output()
				var report pipeline.Report
				if jerr := json.Unmarshal(out, &report); jerr != nil {
					t.Fatalf("%v, %v: %s", err, jerr, stderr.String())
				}
				if err != nil || !want(&report) {
					t.Fatalf("round %d: %v\n%s", round+1, err, stderr.String())
				}
			}
		})
	}
}

// TestPipelineSchema holds the schema against the examples, and against a slip in each place that it describes.
func TestPipelineSchema(t *testing.T) {
	var out bytes.Buffer
	if code := NewApp(nil, &out, &out).Run(context.Background(), []string{"graft", "pipeline", "schema"}); code != 0 {
		t.Fatal(out.String())
	}
	doc, err := jsonschema.UnmarshalJSON(&out)
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("schema.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	valid := func(text string) error {
		var v any
		if err := yaml.Unmarshal([]byte(text), &v); err != nil {
			t.Fatal(err)
		}
		return schema.Validate(v)
	}
	for name, path := range examplePipelines(t) {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := valid(string(data)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	const good = "steps: [{name: a, verb: prune, args: x, flags: {method: magnitude, sparsity: 0.5}, outputs: {out: y, save-mask: m}}]"
	if err := valid(good); err != nil {
		t.Error(err)
	}
	for _, slip := range [][2]string{{"steps", "step"}, {"name", "nam"}, {"prune", "prnue"}, {"sparsity", "sparsty"}, {"save-mask", "scope"}, {"args: x, ", ""}, {"{method", "{json: true, method"}} {
		if err := valid(strings.Replace(good, slip[0], slip[1], 1)); err == nil {
			t.Errorf("the schema takes %s in the place of %s", slip[1], slip[0])
		}
	}
}
