package runtime

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestModuleSums compares the sums in the program with go.sum.
func TestModuleSums(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("..", "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	for system, sum := range moduleSums {
		line := modulePrefix + system + " " + moduleVersion + " " + sum + "\n"
		if !strings.Contains(string(b), line) {
			t.Errorf("go.sum has no line %q", line)
		}
	}
}

// fakeGo puts a go command that prints an answer at the head of the path. Called with GOPROXY=off it fails when it must.
func fakeGo(t *testing.T, answer string, onlyWithNetwork bool) {
	t.Helper()
	script := "#!/bin/sh\n"
	if onlyWithNetwork {
		script += "[ \"$GOPROXY\" = off ] && { echo '{\"Error\": \"module lookup disabled\"}'; exit 1; }\n"
	}
	script += "cat <<'END'\n" + answer + "\nEND\n"
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "go"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
}

func TestModuleLookup(t *testing.T) {
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("needs a shell")
	}
	t.Setenv("GOPROXY", "")
	sum := moduleSums["linux"]
	if _, tried := moduleLibrary(false, nil); strings.HasPrefix(tried.Reason, "none carries") || !strings.Contains(tried.Path, "-linux@") {
		t.Skip("modules as on Linux")
	}
	t.Run("fetched", func(t *testing.T) {
		fakeGo(t, `{"Dir": "/there", "Sum": "`+sum+`"}`, true)
		var said []string
		path, _ := moduleLibrary(true, func(s string) { said = append(said, s) })
		if !strings.HasPrefix(path, "/there/lib/") || len(said) != 1 || !strings.Contains(said[0], "fetching ONNX Runtime "+moduleORT) {
			t.Error(path, said)
		}
		if path, tried := moduleLibrary(false, nil); path != "" || !strings.Contains(tried.Reason, "not in the module cache") {
			t.Error(path, tried)
		}
	})
	t.Run("cached", func(t *testing.T) {
		fakeGo(t, `{"Dir": "/there", "Sum": "`+sum+`"}`, false)
		if path, _ := moduleLibrary(true, func(s string) { t.Error("said", s) }); !strings.HasPrefix(path, "/there/lib/") {
			t.Error(path)
		}
	})
	for name, c := range map[string]struct{ answer, want string }{
		"sum":   {`{"Dir": "/there", "Sum": "h1:another="}`, "its sum is h1:another="},
		"error": {`{"Error": "no route to host\nmore"}`, "no route to host"},
		"noise": {`what?`, "go mod download"},
	} {
		t.Run(name, func(t *testing.T) {
			fakeGo(t, c.answer, false)
			if path, tried := moduleLibrary(true, nil); path != "" || !strings.Contains(tried.Reason, c.want) || strings.Contains(tried.Reason, "\n") {
				t.Errorf("%q, %+v", path, tried)
			}
		})
	}
	t.Run("no command", func(t *testing.T) {
		t.Setenv("PATH", t.TempDir())
		if path, tried := moduleLibrary(true, nil); path != "" || !strings.Contains(tried.Reason, "no go command") {
			t.Error(path, tried)
		}
	})
}

// TestInstallModule installs what the module cache has.
func TestInstallModule(t *testing.T) {
	path, tried := moduleLibrary(false, nil)
	if path == "" {
		if os.Getenv("ORT_REQUIRED") == "1" {
			t.Fatalf("%+v", tried)
		}
		t.Skipf("%+v", tried)
	}
	cache := t.TempDir()
	l, err := installInto(cache, InstallOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if Supported() == nil && l.Version != moduleORT {
		t.Errorf("the module has ONNX Runtime %s, moduleORT says %s", l.Version, moduleORT)
	}
	if got, err := (&finder{folders: []folder{{filepath.Dir(l.Path), "cache"}}, probe: probeFile}).find(Options{}); err != nil || got.Path != l.Path {
		t.Error(got, err)
	}
}

func BenchmarkModuleLookup(b *testing.B) {
	if path, tried := moduleLibrary(false, nil); path == "" {
		b.Skip(tried.Reason)
	}
	for b.Loop() {
		moduleLibrary(false, nil)
	}
}
