package runtime

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	goruntime "runtime"
	"strings"
	"testing"
)

// fakeLibrary compiles a library that says it is a version of ONNX Runtime and has no API.
func fakeLibrary(t *testing.T, path, version string) {
	t.Helper()
	if goruntime.GOOS == "windows" {
		t.Skip("needs a C compiler that makes .so files")
	}
	cc, err := exec.LookPath("gcc")
	if err != nil {
		t.Skip("needs gcc")
	}
	source := filepath.Join(t.TempDir(), "fake.c")
	code := `#include <stddef.h>
static const void *api(unsigned v) { return NULL; }
static const char *version(void) { return "` + version + `"; }
static const struct { const void *(*a)(unsigned); const char *(*v)(void); } base = {api, version};
const void *` + map[bool]string{true: "OrtGetApiBase", false: "Other"}[version != ""] + `(void) { return &base; }
`
	if err := os.WriteFile(source, []byte(code), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(cc, "-shared", "-fPIC", "-o", path, source).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

func TestUnusableLibraries(t *testing.T) {
	if Supported() != nil {
		t.Skip(Supported())
	}
	dir := t.TempDir()
	for name, c := range map[string]struct{ version, want string }{
		"old":    {"1.24.4", "version 1.24.4 is too old, 1.28 or newer is needed"},
		"liar":   {"1.28.0", "does not offer API version 28"},
		"odd":    {"nightly", "version nightly is not understood"},
		"second": {"2.30.0", "version 2.30.0 is not understood"},
		"other":  {"", "it has no OrtGetApiBase"},
	} {
		path := filepath.Join(dir, name+".so")
		fakeLibrary(t, path, c.version)
		_, err := FindLibrary(Options{Library: path})
		var missing *MissingError
		if !errors.As(err, &missing) || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "--ort-lib") {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
		t.Setenv("GRAFT_ORT_LIB", path)
		if _, err := FindLibrary(Options{}); err == nil || !strings.Contains(err.Error(), "GRAFT_ORT_LIB") {
			t.Errorf("%s by environment: %v", name, err)
		}
		t.Setenv("GRAFT_ORT_LIB", "")
	}
	text := filepath.Join(dir, "text.so")
	if err := os.WriteFile(text, []byte(strings.Repeat("no library\n", 100)), 0o644); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{text: "not a", dir: "not a regular file", filepath.Join(dir, "none"): "no such file"} {
		if _, err := FindLibrary(Options{Library: path}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", path, err, want)
		}
	}
}

// touch makes an empty file.
func touch(t *testing.T, path string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestLookupOrder puts libraries in fake places; the files' paths say what checking them gives.
func TestLookupOrder(t *testing.T) {
	t.Setenv("GRAFT_ORT_LIB", "")
	root := t.TempDir()
	place := func(name string) string { return filepath.Join(root, name) }
	old := touch(t, filepath.Join(place("beside"), libraryName()))
	cached := touch(t, filepath.Join(place("cache"), libraryName()))
	system := touch(t, filepath.Join(place("system"), libraryName()))
	module := touch(t, filepath.Join(place("module"), libraryName()))
	bad := map[string]bool{old: true}
	f := func() *finder {
		return &finder{
			folders: []folder{{place("beside"), "beside the binary"}, {place("cache"), "cache"}, {place("absent"), "system"}, {place("system"), "system"}},
			module:  func() (string, Place) { return module, Place{} },
			probe: func(path string) (string, error) {
				if bad[path] {
					return "", errors.New("too old")
				}
				return "1.28.2", nil
			},
		}
	}
	for _, want := range []struct{ path, source string }{{cached, "cache"}, {system, "system"}, {module, "module cache"}} {
		l, err := f().find(Options{})
		if err != nil || l.Path != want.path || l.Source != want.source {
			t.Errorf("%+v, %v, want %v", l, err, want)
		}
		bad[want.path] = true
	}
	_, err := f().find(Options{})
	var missing *MissingError
	if !errors.As(err, &missing) || len(missing.Tried) != 5 {
		t.Fatalf("%v", err)
	}
	for _, want := range []string{old + " (too old)", place("absent") + " (none there)", module + " (too old)", "graft runtime install --from FILE", "--ort-lib"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
	if strings.Count(err.Error(), "\n") != 2 {
		t.Errorf("not three lines: %q", err)
	}

	l, err := f().find(Options{Library: touch(t, place("mine"))})
	if err != nil || l.Path != place("mine") || l.Source != "--ort-lib" {
		t.Error(l, err)
	}
	t.Setenv("GRAFT_ORT_LIB", system) // unusable: no other place is tried
	if _, err = f().find(Options{}); !errors.As(err, &missing) || len(missing.Tried) != 0 {
		t.Error(err)
	}
	if l, err = f().find(Options{Library: place("mine")}); err != nil || l.Source != "--ort-lib" {
		t.Error("the flag comes before the environment:", l, err)
	}
}

func TestLibraryNames(t *testing.T) {
	if goruntime.GOOS != "linux" {
		t.Skip("names as on Linux")
	}
	dir := t.TempDir()
	for _, name := range []string{"libonnxruntime.so.1.9.0", "libonnxruntime.so.1.28.2", "libonnxruntime.so.1", "libonnxruntime_providers_cuda.so",
		"libonnxruntime.so.bak", "libonnxruntime.a"} {
		touch(t, filepath.Join(dir, name))
	}
	if err := os.Symlink("libonnxruntime.so.1.28.2", filepath.Join(dir, "libonnxruntime.so")); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range libraryFiles(dir) {
		names = append(names, filepath.Base(p))
	}
	if got := strings.Join(names, " "); got != "libonnxruntime.so libonnxruntime.so.1.9.0 libonnxruntime.so.1" {
		t.Error(got)
	}
	cache := t.TempDir()
	for _, v := range []string{"1.28.2", "1.29.0", "1.30.1-cuda", "1.100.0", ".install-1"} {
		touch(t, filepath.Join(cache, v, "libonnxruntime.so"))
	}
	touch(t, filepath.Join(cache, "1.30.1-cuda", "libonnxruntime_providers_cuda.so"))
	for provider, want := range map[string]string{CPU: "1.100.0", "CUDAExecutionProvider": "1.30.1-cuda"} {
		if got := cachedVersions(cache, provider); filepath.Base(got[0]) != want || len(got) != 4 {
			t.Errorf("%s: %v", provider, got)
		}
	}
}

func TestHeaders(t *testing.T) {
	elf := func(machine byte) []byte {
		h := make([]byte, 64)
		copy(h, "\x7fELF\x02\x01\x01")
		h[18] = machine
		return h
	}
	pe := make([]byte, 256)
	copy(pe, "MZ")
	pe[60] = 128
	copy(pe[128:], "PE\x00\x00\x64\x86")
	farPE := append([]byte(nil), pe...)
	farPE[63] = 0xff
	macho := make([]byte, 64)
	copy(macho, "\xcf\xfa\xed\xfe\x0c\x00\x00\x01")
	for i, c := range []struct {
		head         []byte
		system, arch string
		want         string
	}{
		{elf(62), "linux", "amd64", ""}, {elf(62), "linux", "arm64", "another architecture"}, {elf(183), "linux", "arm64", ""},
		{macho, "linux", "amd64", "not an ELF"}, {elf(62)[:20], "linux", "amd64", "too short"}, {nil, "linux", "amd64", "too short"},
		{pe, "windows", "amd64", ""}, {pe, "windows", "arm64", "another architecture"}, {farPE, "windows", "amd64", "not a DLL"},
		{pe[:100], "windows", "amd64", "not a DLL"}, {elf(62), "windows", "amd64", "not a DLL"},
		{macho, "darwin", "arm64", ""}, {macho, "darwin", "amd64", "another architecture"}, {elf(62), "darwin", "amd64", "not a Mach-O"},
	} {
		err := checkHeader(c.head, c.system, c.arch)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("case %d: %v, want %q", i, err, c.want)
		}
	}
}
