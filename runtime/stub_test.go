package runtime

import (
	"os"
	"os/exec"
	"path/filepath"
	goruntime "runtime"
	"strings"
	"testing"
)

// stubLibrary compiles a library for the loader: source in C, its own name, and libraries that it needs.
func stubLibrary(t *testing.T, path, soname, source string, needs ...string) string {
	t.Helper()
	if goruntime.GOOS != "linux" {
		t.Skip("needs ELF libraries")
	}
	cc, err := exec.LookPath("gcc")
	if err != nil {
		t.Skip("needs gcc")
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "stub.c")
	if err := os.WriteFile(file, []byte(source), 0o644); err != nil {
		t.Fatal(err)
	}
	args := []string{"-shared", "-fPIC", "-Wl,--no-as-needed", "-o", path, file}
	if soname != "" {
		args = append(args, "-Wl,-soname,"+soname)
	}
	if out, err := exec.Command(cc, append(args, needs...)...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return path
}

// stubProvider compiles a provider's library that says it is of a version and needs libraries of the given names.
func stubProvider(t *testing.T, path, version string, needs ...string) {
	t.Helper()
	dir := t.TempDir()
	var paths []string
	for _, name := range needs {
		paths = append(paths, stubLibrary(t, filepath.Join(dir, name), name, ""))
	}
	stubLibrary(t, path, "", `const char *other = "1.3.9", *version = "`+version+`", *longer = "11.`+version+`";`, paths...)
}

// stubRuntime compiles a library of ONNX Runtime that says it is of a version and has providers, and can do nothing else.
func stubRuntime(t *testing.T, path, version string, providers ...string) {
	t.Helper()
	stubLibrary(t, path, "", `
#include <stddef.h>
static char *names[] = {"`+strings.Join(providers, `", "`)+`"};
static void *available(char ***out, int *n) { *out = names; *n = sizeof names / sizeof *names; return NULL; }
static void *release(char **names, int n) { return NULL; }
static const void *table[430] = {[125] = (const void *)available, [126] = (const void *)release};
static const void *api(unsigned v) { return table; }
static const char *version(void) { return "`+version+`"; }
static const struct { const void *(*a)(unsigned); const char *(*v)(void); } base = {api, version};
const void *OrtGetApiBase(void) { return &base; }
`)
}
