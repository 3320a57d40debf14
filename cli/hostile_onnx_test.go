package cli

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"graft/onnx/hostiletest"
	"graft/training"
)

// modelLines are the ways in which a model gets into a verb. $DIR holds good.onnx as well, and is a folder of artifacts.
var modelLines = []string{
	"inspect $DIR/hostile.onnx",
	"check $DIR/hostile.onnx",
	"simplify $DIR/hostile.onnx --out $OUT.onnx",
	"simplify $DIR/hostile.onnx --out $OUT.onnx --verify",
	"convert $DIR/hostile.onnx --out $OUT.onnx --opset 18",
	"convert $DIR/good.onnx $DIR/hostile.onnx --out $OUT.onnx",
	"convert $DIR/good.onnx --weights $DIR/hostile.onnx --out $OUT.onnx",
	"convert $DIR/hostile.onnx --out $OUT.safetensors",
	"prune $DIR/hostile.onnx --out $OUT.onnx --method magnitude --sparsity 0.5 --save-mask $OUT.safetensors",
	"artifacts $DIR/hostile.onnx --out $OUT --loss mse --optimizer adam",
	"artifacts $DIR/good.onnx --out $OUT --loss $DIR/hostile.onnx --optimizer adam",
	"artifacts $DIR/good.onnx --out $OUT --loss cross-entropy --teacher $DIR/hostile.onnx --optimizer adam",
	"train $DIR --data $DIR/none.npz",
	"export $DIR/hostile.onnx --out $OUT.onnx",
	"export $DIR --out $OUT.onnx",
	"run $DIR/hostile.onnx --out $OUT",
	"compare $DIR/hostile.onnx $DIR/good.onnx",
	"compare $DIR/good.onnx $DIR/hostile.onnx --layers",
	"diff $DIR/hostile.onnx $DIR/good.onnx",
	"diff $DIR/good.onnx $DIR/hostile.onnx --structure",
	"bench $DIR/hostile.onnx",
	"bench $DIR/good.onnx --against $DIR/hostile.onnx",
	"verify $DIR/hostile.onnx --runtimes ort,onnx-go",
	"bias $DIR/hostile.onnx --data $DIR",
	"denoise $DIR/none.png --method learned --model $DIR/hostile.onnx --out $OUT",
}

// fewLines are one way for each of the two readers that verbs have, and check, which lists what is wrong.
var fewLines = []string{modelLines[0], modelLines[1], modelLines[2]}

// TestHostileModels gives the first model of each attack to every verb, the others to one for each reader.
func TestHostileModels(t *testing.T) {
	made := madeContract(t)
	var first, others []hostile
	seen := map[string]bool{}
	for _, m := range hostiletest.Models() {
		h := hostile{id: m.Name, says: m.Says, make: func(t testing.TB, folder string) {
			m.Write(t, folder)
			putArtifacts(t, folder, made)
		}}
		if m.Findings { // check says all of it
			h.except = map[string]int{"check": exitNo}
		}
		if seen[m.ID] {
			others = append(others, h)
		} else {
			first = append(first, h)
		}
		seen[m.ID] = true
	}
	refuseThrough(t, first, modelLines...)
	refuseThrough(t, others, fewLines...)
}

// TestHostilePipeline gives models to the steps of a pipeline: the pipeline ends with a no, the step with exit code 3, and of what it
// was to write nothing is there.
func TestHostilePipeline(t *testing.T) {
	seen := map[string]bool{}
	for _, m := range hostiletest.Models() {
		if seen[m.ID] || m.ID[0] != 'E' && m.ID != "O02" && m.ID != "O11" {
			continue
		}
		seen[m.ID] = true
		top := t.TempDir()
		folder := filepath.Join(top, "models")
		m.Write(t, folder)
		file("p.yaml", []byte("steps:\n  - {name: small, verb: simplify, args: hostile.onnx, out: small.onnx}\n  - {name: same, verb: diff, args: [hostile.onnx, \"${steps.small}\"]}\n"))(t, folder)
		outside, err := os.ReadFile(filepath.Join(top, "secret"))
		if err != nil {
			t.Fatal(err)
		}
		code, stdout, stderr := writer{}.try(t, []string{"pipeline", "run", filepath.Join(folder, "p.yaml"), "--json"})
		if code != exitNo || !strings.Contains(stdout, `"exit": 3`) || strings.Contains(stdout+stderr, "panic") {
			t.Errorf("%s: exit code %d\n%s%s", m.Name, code, stdout, stderr)
		}
		_ = filepath.WalkDir(folder, func(path string, _ os.DirEntry, err error) error {
			if filepath.Base(path) == "small.onnx" {
				t.Errorf("%s: %s is there", m.Name, path)
			}
			return err
		})
		if after, err := os.ReadFile(filepath.Join(top, "secret")); err != nil || !bytes.Equal(outside, after) {
			t.Errorf("%s: a file outside is changed", m.Name)
		}
	}
}

// putArtifacts puts a good model beside a hostile one, and makes the folder one of artifacts whose models are the hostile one.
func putArtifacts(t testing.TB, folder string, contract *training.Contract) {
	t.Helper()
	good, err := encoded(product(2))
	if err != nil {
		t.Fatal(err)
	}
	file("good.onnx", good)(t, folder)
	data, err := os.ReadFile(filepath.Join(folder, hostiletest.File))
	if err != nil {
		t.Fatal(err)
	}
	hash := sha256.Sum256(data)
	fused := contract.Models["fused"]
	fused.SHA256 = hex.EncodeToString(hash[:])
	contract.Models["fused"] = fused
	text, err := json.Marshal(contract)
	if err != nil {
		t.Fatal(err)
	}
	file(training.ContractFile, text)(t, folder)
	for _, name := range []string{training.FusedFile, training.EvalFile} {
		if err := os.Symlink(hostiletest.File, filepath.Join(folder, name)); err != nil {
			t.Fatal(err)
		}
	}
}

// madeContract is the contract of artifacts of a good model.
func madeContract(t *testing.T) *training.Contract {
	t.Helper()
	dir := t.TempDir()
	good, err := encoded(product(2))
	if err != nil {
		t.Fatal(err)
	}
	file("good.onnx", good)(t, dir)
	graft(t, exitDone, "artifacts", filepath.Join(dir, "good.onnx"), "--loss", "mse", "--optimizer", "adam", "--out", filepath.Join(dir, "artifacts"))
	text, err := os.ReadFile(filepath.Join(dir, "artifacts", training.ContractFile))
	if err != nil {
		t.Fatal(err)
	}
	c := &training.Contract{}
	if err := json.Unmarshal(text, c); err != nil {
		t.Fatal(err)
	}
	return c
}

// graft runs a command line in the process and gives what it printed.
func graft(t testing.TB, want int, args ...string) (stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	if code := NewApp(strings.NewReader(""), &out, &err).Run(t.Context(), append([]string{"graft"}, args...)); code != want {
		t.Fatalf("%s: exit code %d, want %d\n%s%s", strings.Join(args, " "), code, want, out.String(), err.String())
	}
	return out.String(), err.String()
}
