package inspect

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"graft/onnx"
)

// TestBackendNodeCheck finds nothing wrong with ONNX's node tests.
func TestBackendNodeCheck(t *testing.T) {
	dir := os.Getenv("GRAFT_ONNX_TESTDATA")
	if dir == "" {
		dir = "/usr/include/onnx/backend/test/data"
	}
	files, _ := filepath.Glob(filepath.Join(dir, "node", "*", "model.onnx"))
	if len(files) == 0 {
		t.Skipf("no node tests in %s (GRAFT_ONNX_TESTDATA names the folder that holds node/)", dir)
	}
	clean, warned, failed := 0, 0, 0
	warnings := map[string]int{}
	for _, f := range files {
		m, err := onnx.Load(f, onnx.LoadOptions{})
		if err != nil {
			t.Errorf("%v", err)
			continue
		}
		findings := Check(m)
		switch {
		case !Valid(findings):
			failed++
			t.Errorf("%s: %v", filepath.Base(filepath.Dir(f)), findings)
		case len(findings) > 0:
			warned++
			for _, w := range findings {
				warnings[w.Rule+": "+w.Message]++
			}
		default:
			clean++
		}
	}
	for _, w := range slices.Sorted(maps.Keys(warnings)) {
		t.Logf("%d times %s", warnings[w], w)
	}
	t.Logf("%d clean, %d with warnings, %d failed of %d cases", clean, warned, failed, len(files))
}

// TestMutants holds what Check finds in broken models against what onnx.checker finds, which is in the verdicts.txt of the folder
// that GRAFT_CHECK_MUTANTS names; testdata/peers/check_mutants.py makes it.
func TestMutants(t *testing.T) {
	dir := os.Getenv("GRAFT_CHECK_MUTANTS")
	if dir == "" {
		t.Skip("GRAFT_CHECK_MUTANTS names no folder")
	}
	verdicts, err := os.ReadFile(filepath.Join(dir, "verdicts.txt"))
	if err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	for line := range strings.Lines(string(verdicts)) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(f) != 5 {
			t.Fatalf("not a line of verdicts: %q", line)
		}
		file, mutation, name, verdict, reason := f[0], f[1], f[2], f[3], f[4]
		m, err := onnx.Load(filepath.Join(dir, file), onnx.LoadOptions{})
		var found []onnx.Finding
		var invalid *onnx.InvalidError
		ours := "accepted"
		if err == nil {
			if found = Check(m); !Valid(found) {
				ours = "refused"
			} else if slices.ContainsFunc(found, func(f onnx.Finding) bool { return f.Rule != "unknown-operator" }) {
				ours = "warned of"
			}
		} else {
			ours = "refused"
			if errors.As(err, &invalid); invalid != nil {
				found = append(found, onnx.Finding{Message: invalid.Problems[0]})
			}
		}
		count[verdict+" there, "+ours+" here"]++
		switch {
		case verdict != "accepted" && ours == "accepted":
			t.Errorf("%s, %s of %s is accepted; onnx.checker: %s", file, mutation, name, reason)
		case verdict == "accepted" && ours == "refused" && testing.Verbose():
			t.Logf("%s, %s of %s is refused here alone: %v %v", file, mutation, name, found, err)
		}
	}
	for _, k := range slices.Sorted(maps.Keys(count)) {
		t.Logf("%5d %s", count[k], k)
	}
}
