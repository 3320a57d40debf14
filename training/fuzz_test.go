package training

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzContract and FuzzState: a document of a folder that someone else made is read or refused in one line.
func FuzzContract(f *testing.F) {
	f.Add([]byte(`{"format": 1, "producer": "graft"}`))
	f.Add([]byte(`{"format": 1, "producer": "graft", "parameters": [{"name": "w"}], "files": {"a": "b"}}`))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte) {
		put(t, filepath.Join(dir, ContractFile), data)
		if _, err := readContract(dir); err != nil {
			oneLineOnly(t, err)
		}
		if _, _, err := OpenArtifacts(dir); err == nil {
			t.Error("artifacts without a model")
		} else {
			oneLineOnly(t, err)
		}
	})
}

func FuzzState(f *testing.F) {
	f.Add([]byte(`{"format": 1, "steps": 3, "files": {"../x": "0"}}`))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte) {
		put(t, filepath.Join(dir, stateFile), data)
		if _, _, err := ReadCheckpoint(dir); err == nil {
			t.Error("a checkpoint without weights")
		} else {
			oneLineOnly(t, err)
		}
	})
}

func put(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func oneLineOnly(t *testing.T, err error) {
	t.Helper()
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("more than one line: %q", err)
	}
}
