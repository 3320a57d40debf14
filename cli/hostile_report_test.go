package cli

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"graft/onnx"
	"graft/runtime/runtimetest"
	"graft/training/dataset/datasettest"
)

// I06: whatever a file calls its parts is text, on a terminal, in a page and in Graphviz's language.

// spoken is a name that acts where names are not escaped: as markup, as the end of a section of text, as a link, as an escape
// sequence, and in quotes of DOT.
const spoken = `"><script>alert(1)</script>]]><a href=javascript:alert(1)>` + "\x1b[2J\u202e" + `\" ]; n9 [label=`

// spokenModel has it in every place that a file may name.
func spokenModel(t testing.TB) []byte {
	t.Helper()
	g := onnx.NewGraph(spoken)
	g.Doc = spoken
	x := g.AddInput("x"+spoken, onnx.TensorType{DType: onnx.Float, Shape: onnx.Shape{{Symbol: "N" + spoken}, {Size: 2}}})
	w := onnx.NewTensor(onnx.Float, 2)
	named := g.Add("Mul", []*onnx.Value{x, g.AddInitializer("w"+spoken, w)}, 1)
	named.Name, named.Doc = "n"+spoken, spoken
	named.Output(0).Name = "m" + spoken
	odd := g.Add("Odd"+spoken, []*onnx.Value{named.Output(0)}, 1, onnx.Attr{Name: "a" + spoken, Value: spoken}, onnx.Attr{Name: "list", Value: []string{spoken}})
	odd.Domain = "com.example" + spoken
	odd.Output(0).Type = onnx.TensorType{DType: onnx.Float}
	g.AddOutput(odd.Output(0), "y"+spoken)
	m := &onnx.Model{IRVersion: 8, Opsets: []onnx.Opset{{Version: 17}, {Domain: "com.example" + spoken, Version: 1}}, Graph: g,
		ProducerName: spoken, ProducerVersion: spoken, Domain: spoken, Doc: spoken}
	m.Metadata.Set("k"+spoken, "v"+spoken)
	body := onnx.NewGraph("body" + spoken)
	in := body.AddInput("in"+spoken, onnx.TensorType{})
	body.AddOutput(body.Add("Relu", []*onnx.Value{in}, 1).Output(0), "out"+spoken)
	m.SetFunctions(&onnx.Function{Domain: "com.example" + spoken, Name: "F" + spoken, Doc: spoken, Opsets: []onnx.Opset{{Version: 17}}, Body: body})
	data, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// spokenFile is a file's name of it, as far as names of files may go.
func spokenFile(ending string) string {
	return strings.NewReplacer("/", "", `\`, "").Replace(spoken) + ending
}

func TestHostileI06Inspect(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, spokenFile(".onnx"))
	if err := os.WriteFile(path, spokenModel(t), 0o600); err != nil {
		t.Skip(err) // a system that has no such names
	}
	page, drawing := filepath.Join(dir, "m.html"), filepath.Join(dir, "m.dot")
	for _, args := range [][]string{{"inspect", path, "--html", page, "--dot", drawing}, {"inspect", path, "--json"}, {"check", path}, {"check", path, "--json"},
		{"diff", path, path}, {"run", path}, {"simplify", path, "--out", page + ".onnx", "--json"}, {"convert", path, "--opset", "18", "--out", page + ".18.onnx"},
		{"prune", path, "--out", page + ".pruned.onnx", "--method", "magnitude", "--sparsity", "0.5", "--json"}} {
		var out, messages bytes.Buffer
		NewApp(strings.NewReader(""), &out, &messages).Run(t.Context(), append([]string{"graft"}, args...))
		if said := out.String() + messages.String(); strings.ContainsAny(said, "\x1b\u202e") {
			t.Errorf("%s: %q reaches the terminal", args[0], said)
		}
	}
	inert(t, page, 2)
	dot(t, drawing)
}

var (
	element = regexp.MustCompile(`<[a-zA-Z/!][^>]*>`)
	source  = regexp.MustCompile(`(?i)\b(?:src|href|action|srcset|data|poster|formaction|background)\s*=\s*["']?\s*(?:[a-z]+:|//)|url\(\s*["']?[^#"')]`)
	policy  = regexp.MustCompile(`<meta http-equiv="Content-Security-Policy" content="([^"]*)">`)
)

// inert holds a page to a policy that fetches nothing, and to so many elements of script.
func inert(t *testing.T, path string, scripts int) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	page := string(data)
	m := policy.FindStringSubmatch(page)
	if m == nil || !strings.HasPrefix(m[1], "default-src &#39;none&#39;") && !strings.HasPrefix(m[1], "default-src 'none'") || strings.Contains(m[1], "http") || strings.Contains(m[1], "*") {
		t.Errorf("the policy is %q", m)
	}
	for _, e := range element.FindAllString(page, -1) {
		if source.MatchString(e) && !strings.Contains(e, "src=\"data:image/png;base64,") || strings.Contains(e, "javascript:") || strings.HasPrefix(e, "<a ") {
			t.Errorf("an element %.200s", e)
		}
	}
	for bad, most := range map[string]int{"<script": scripts, "</script": scripts, "alert(1)</": 0, "\x1b": 0, "\u202e": 0, "]]>": 0} {
		if n := strings.Count(page, bad); n > most {
			t.Errorf("%q is there %d times", bad, n)
		}
	}
	if !strings.Contains(page, "&lt;script&gt;alert(1)") {
		t.Error("the page does not show the name")
	}
}

// dot holds each line of a drawing to one statement of a fixed form, in whose strings quotes and backslashes are escaped.
func dot(t *testing.T, path string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const text = `"(?:[^"\\\n]|\\["\\n])*"`
	form := regexp.MustCompile(`^(?:digraph ` + text + ` \{|  rankdir=TB;|  node \[[^]]*\];|  n\d+ \[label=` + text + `, tooltip=` + text + `(?:, shape=ellipse, fillcolor="#ffffff")?\];|  n\d+ -> n\d+ \[tooltip=` + text + `\];|\})$`)
	for line := range strings.SplitSeq(strings.TrimSuffix(string(data), "\n"), "\n") {
		if !form.MatchString(line) || strings.ContainsAny(line, "\x1b\u202e") {
			t.Errorf("a line %q", line)
		}
	}
	if n := strings.Count(string(data), "script"); n < 5 {
		t.Errorf("the names are %d times in the drawing", n)
	}
}

func TestHostileI06Denoise(t *testing.T) {
	runtimetest.Library(t)
	dir := t.TempDir()
	path := filepath.Join(dir, spokenFile(".png"))
	if err := os.WriteFile(path, datasettest.PNG(t, datasettest.Corners(32, 32)), 0o600); err != nil {
		t.Skip(err) // a system that has no such names
	}
	var out, messages bytes.Buffer
	args := []string{"graft", "denoise", path, "--out", filepath.Join(dir, "out"), "--mask-steps", "1", "--train-steps", "1", "--noise", "0.1"}
	if code := NewApp(strings.NewReader(""), &out, &messages).Run(t.Context(), args); code != 0 {
		t.Fatal(messages.String())
	}
	if said := out.String() + messages.String(); strings.ContainsAny(said, "\x1b\u202e") {
		t.Errorf("%q reaches the terminal", said)
	}
	inert(t, filepath.Join(dir, "out", "report.html"), 0)
}

// Values of a matrix are free text: the drawings of a pipeline hold them as such.
func TestHostileI06Pipeline(t *testing.T) {
	dir := t.TempDir()
	quoted, err := json.Marshal(spoken)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "p.yaml")
	text := "matrix: {a: [" + string(quoted) + ", x]}\nsteps:\n- {name: s, verb: check, args: \"${matrix.a}\"}\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, format := range []string{"text", "dot", "svg", "svg --json"} {
		var out, messages bytes.Buffer
		code := NewApp(strings.NewReader(""), &out, &messages).Run(t.Context(), append([]string{"graft", "pipeline", "graph", path, "--format"}, strings.Fields(format)...))
		if code != 0 || strings.ContainsAny(out.String()+messages.String(), "\x1b\u202e") {
			t.Errorf("%s: exit code %d, %q %s", format, code, out.String(), messages.String())
		}
		if format == "svg" && (strings.Contains(out.String(), "<script") || !strings.Contains(out.String(), "&lt;script")) {
			t.Error(out.String())
		}
		statement := regexp.MustCompile(`^(?:digraph "p" \{|  rankdir=LR;|  node \[shape=box\];|  ("(?:[^"\\]|\\.)*")(?: -> ("(?:[^"\\]|\\.)*")| \[label=("(?:[^"\\]|\\.)*")\])?;|\})$`)
		for line := range strings.SplitSeq(strings.TrimSuffix(out.String(), "\n"), "\n") {
			if format == "dot" && !statement.MatchString(line) {
				t.Errorf("a line %q", line)
			}
		}
	}
}
