package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

// layers says who may import whom inside the module. The first row whose
// pattern matches a package counts; a package may always import what lies
// below its own folder. "x/..." is x and everything below it.
//
// To add a package, add it to a set below or a row here.
var layers = []struct {
	packages []string
	may      []string
}{
	// Test support: reached from tests alone, which TestOnlyTestsUseTestSupport holds.
	{set(makers), set("onnx/limits/limitstest", "onnx/strictzip/ziptest")},
	{set("onnx/onnxtest"), set(l0)},
	{set("onnx/limits/limitstest onnx/hostiletest"), set("onnx/internal/...")},
	{set("runtime/runtimetest"), set("runtime", l0)},
	{set("runtime/generate"), set("runtime", l0)},
	// L5, L4
	{set("."), set("cli")},
	{set("cli/..."), set("export/...", "training/...", l1, l0)},
	// L3: one folder per published system; systems do not know each other.
	{set(systems), set("training", parts, l1, l0)},
	// L2: export and training do not know each other.
	{set("training"), set(parts, l1, l0)},
	{set(parts), set(parts, l1, l0)},
	{set("export/..."), set(l1, l0)},
	// L1: siblings do not know each other.
	{set("graphs/..."), set(l0)},
	{set("masking/..."), set(l0)},
	{set("runtime/..."), set(l0)},
	// L0
	{set("onnx/rewrite/..."), set("onnx", "onnx/op/...", "onnx/winograd", leaves)},
	{set("onnx/winograd"), set("onnx", "onnx/op")},
	{set("onnx/precision"), set("onnx", "onnx/op", leaves)},
	{set("onnx/quantize"), set("onnx", "onnx/op", leaves)},
	{set("onnx/inspect"), set("onnx", "onnx/op/...", leaves)},
	{set("onnx/diff"), set("onnx", "onnx/op/...", leaves)},
	{set("onnx/op/..."), set("onnx", leaves)},
	{set("onnx/internal/..."), set(leaves)},
	{set("onnx/noise"), set("onnx", "onnx/op", leaves)},
	{set("onnx/limits"), nil},
	{set("onnx/safetensors"), set("onnx", "onnx/atomicfile", "onnx/limits")},
	{set("onnx/gguf", "onnx/llama2c"), set("onnx", "onnx/limits")},
	{set("onnx/tokenizer"), set("onnx/limits")},
	{set(leaves), set(leaves)},
	{set("onnx"), set("onnx/internal/...", leaves)},
}

const (
	leaves  = "onnx/atomicfile onnx/gguf onnx/limits onnx/llama2c onnx/safetensors onnx/strictzip onnx/tokenizer"
	l0      = "onnx onnx/diff onnx/inspect onnx/noise onnx/op/... onnx/precision onnx/quantize onnx/rewrite/... onnx/winograd " + leaves
	l1      = "graphs/... masking/... runtime runtime/generate runtime/kernels"
	parts   = "training/autodiff/... training/loss/... training/optim/... training/ort/... training/setting/... training/dataset/... training/degrade/... training/denoiser/... training/signal/... training/metric/... training/study/... training/chart/... training/curvature/..."
	makers  = "cli/pipeline/pipelinetest export/pickle/pickletest onnx/gguf/gguftest onnx/safetensors/safetensorstest onnx/strictzip/ziptest training/dataset/datasettest"
	systems = "training/oes/... training/pacbayes/... training/momentum/... training/bilevel/... training/prosocial/..."
)

// mayUseCgo are the only folders whose own packages may contain C; packages
// that do not import them must not reach cgo through a dependency either.
var mayUseCgo = set("runtime/...")

// forbidden names say nothing about what is inside.
var forbidden = set("util utils common helper helpers base manager types misc")

func set(lists ...string) []string { return strings.Fields(strings.Join(lists, " ")) }

// listed is what go list says of a package.
type listed struct {
	ImportPath                        string
	Standard                          bool
	Module                            *struct{ Main bool }
	Imports, Deps                     []string
	GoFiles, CgoFiles                 []string
	IgnoredGoFiles                    []string
	TestGoFiles, XTestGoFiles         []string
	TestImports, XTestImports, CFiles []string
}

func list(t *testing.T) (own []listed, byPath map[string]listed) {
	t.Helper()
	cmd := exec.Command("go", "list", "-e", "-deps", "-json=ImportPath,Standard,Module,Imports,Deps,GoFiles,CgoFiles,CFiles,IgnoredGoFiles,TestGoFiles,XTestGoFiles,TestImports,XTestImports", "./...")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	byPath = map[string]listed{}
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("go list: %v", err)
		}
		byPath[p.ImportPath] = p
		if p.Module != nil && p.Module.Main {
			own = append(own, p)
		}
	}
	if len(own) < 2 {
		t.Fatalf("go list shows %d packages of the module", len(own))
	}
	return own, byPath
}

// module is the path that the packages share; it changes with the module's name.
func module(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("go", "list", "-m").Output()
	if err != nil {
		t.Fatalf("go list -m: %v", err)
	}
	return strings.TrimSpace(string(out))
}

// short turns an import path into one relative to the module, "" for others.
func short(module, importPath string) string {
	if importPath == module {
		return "."
	}
	rest, ok := strings.CutPrefix(importPath, module+"/")
	if !ok {
		return ""
	}
	return rest
}

func matches(patterns []string, pkg string) bool {
	for _, p := range patterns {
		if folder, below := strings.CutSuffix(p, "/..."); p == pkg || below && (pkg == folder || strings.HasPrefix(pkg, folder+"/")) {
			return true
		}
	}
	return false
}

func mayImport(t *testing.T, from, to string) bool {
	t.Helper()
	for _, row := range layers {
		if matches(row.packages, from) {
			below := from != "." && from != "onnx" && from != "training" && from != "runtime" && strings.HasPrefix(to, from+"/")
			return below || sameFamily(row.packages, from, to) || matches(row.may, to)
		}
	}
	t.Errorf("package %s has no row in layers: add it", from)
	return true
}

// sameFamily says whether both lie under one "x/..." pattern of the row.
func sameFamily(patterns []string, from, to string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		return strings.HasSuffix(p, "/...") && matches([]string{p}, from) && matches([]string{p}, to)
	})
}

func TestImportsGoDown(t *testing.T) {
	own, _ := list(t)
	module := module(t)
	for _, p := range own {
		from := short(module, p.ImportPath)
		for _, imported := range p.Imports {
			if to := short(module, imported); to != "" && !mayImport(t, from, to) {
				t.Errorf("%s imports %s: the layers forbid it", from, to)
			}
		}
	}
}

// TestLayersTable checks the table itself on pairs that the picture decides.
func TestLayersTable(t *testing.T) {
	for _, c := range []struct {
		from, to string
		want     bool
	}{
		{".", "cli", true}, {".", "onnx", false}, {"cli", "runtime", true}, {"cli", "export", true}, {"cli", "training/oes", true},
		{"cli", "onnx/internal/onnxpb", false}, {"cli", "runtime/runtimetest", false},
		{"graphs", "masking", false}, {"masking", "runtime", false}, {"runtime", "graphs", false}, {"graphs", "onnx/op", true},
		{"runtime", "training", false}, {"masking", "export", false}, {"runtime", "cli", false},
		{"training", "export", false}, {"export", "training", false}, {"export", "training/metric", false}, {"export", "runtime", true},
		{"training/autodiff", "training", false}, {"training", "training/autodiff", true}, {"training/loss", "export", false},
		{"training/oes", "training", true}, {"training/oes", "training/pacbayes", false}, {"training/oes", "export", false},
		{"training/oes", "masking", true}, {"training", "training/oes", false}, {"training/oes", "cli", false},
		{"onnx", "onnx/op", false}, {"onnx/op", "onnx/rewrite", false}, {"onnx/rewrite", "onnx/op", true}, {"onnx/op", "onnx", true},
		{"onnx", "onnx/internal/onnxpb", true}, {"onnx/op", "onnx/internal/onnxpb", false}, {"onnx", "graphs", false},
		{"onnx/limits", "onnx", false}, {"onnx/noise", "onnx/op", true}, {"onnx/op", "onnx/noise", false}, {"graphs", "onnx/noise", true}, {"onnx", "onnx/limits", true}, {"export/pickle", "export", true},
	} {
		if got := mayImport(t, c.from, c.to); got != c.want {
			t.Errorf("%s imports %s: allowed %t, want %t", c.from, c.to, got, c.want)
		}
	}
}

func TestOnlyRuntimeUsesCgo(t *testing.T) {
	own, byPath := list(t)
	module := module(t)
	for _, p := range own {
		name := short(module, p.ImportPath)
		if matches(mayUseCgo, name) {
			continue
		}
		if len(p.CgoFiles)+len(p.CFiles) > 0 {
			t.Errorf("%s contains C: only %s may", name, mayUseCgo)
		}
		if slices.ContainsFunc(p.Deps, func(d string) bool { s := short(module, d); return s != "" && matches(mayUseCgo, s) }) {
			continue
		}
		for _, d := range p.Deps {
			if dep := byPath[d]; !dep.Standard && len(dep.CgoFiles) > 0 {
				t.Errorf("%s reaches cgo through %s", name, d)
			}
		}
	}
}

func TestOnlyTestsUseTestSupport(t *testing.T) {
	own, _ := list(t)
	module := module(t)
	for _, p := range own {
		for _, d := range p.Deps {
			if !strings.HasSuffix(p.ImportPath, "test") && (strings.HasSuffix(d, "test") && short(module, d) != "" || d == "testing") {
				t.Errorf("%s reaches %s outside its tests", p.ImportPath, d)
			}
		}
	}
}

func TestNamesSayWhatIsInside(t *testing.T) {
	own, _ := list(t)
	for _, p := range own {
		if slices.Contains(forbidden, path.Base(p.ImportPath)) {
			t.Errorf("package %s: name says nothing", p.ImportPath)
		}
		for _, f := range slices.Concat(p.GoFiles, p.CgoFiles, p.IgnoredGoFiles, p.TestGoFiles, p.XTestGoFiles) {
			if stem := strings.TrimSuffix(strings.TrimSuffix(f, ".go"), "_test"); slices.Contains(forbidden, stem) {
				t.Errorf("%s/%s: name says nothing", p.ImportPath, f)
			}
		}
	}
}
