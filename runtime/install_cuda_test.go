package runtime

import (
	"archive/zip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestInstallCUDA installs stubs of libraries: what fits together takes its place as a whole, else nothing changes.
func TestInstallCUDA(t *testing.T) {
	if Supported() != nil {
		t.Skip(Supported())
	}
	root := t.TempDir()
	read := func(path string) []byte {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	const core, cuda, shared = "libonnxruntime.so.1.31.1", "libonnxruntime_providers_cuda.so", "libonnxruntime_providers_shared.so"
	at := func(names ...string) string { return filepath.Join(append([]string{root}, names...)...) }
	stubRuntime(t, at("one", core), "1.31.1", CUDA, CPU)
	stubProvider(t, at("one", cuda), "1.31.1", "libcudart.so.13")
	stubLibrary(t, at("one", shared), "", "")
	stubRuntime(t, at("cpu", core), "1.31.1", CPU)
	stubRuntime(t, at("old", "libonnxruntime.so"), "1.30.0", CUDA, CPU)
	stubRuntime(t, at("liar", core), "1.32.0", CUDA, CPU)
	stubProvider(t, at("unversioned", cuda), "none")
	library, provider, tie := read(at("one", core)), read(at("one", cuda)), read(at("one", shared))
	foreign := slices.Clone(provider)
	foreign[18] ^= 0xff
	// The provider apart from its library, beside a library of another version.
	for _, pair := range [][2]string{{at("one", core), at("apart", "a", core)}, {at("old", "libonnxruntime.so"), at("apart", "b", "libonnxruntime.so")},
		{at("one", cuda), at("apart", "b", cuda)}, {at("one", shared), at("apart", "b", shared)}} {
		if err := os.MkdirAll(filepath.Dir(pair[1]), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(pair[1], read(pair[0]), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	archive := func(name string, entries ...entry) string {
		data := zipped(t, zip.Deflate, entries...)
		if strings.HasSuffix(name, ".tgz") {
			data = tgz(t, entries...)
		}
		if strings.HasPrefix(name, "cut") {
			data = data[:len(data)/2]
		}
		if err := os.WriteFile(at(name), data, 0o644); err != nil {
			t.Fatal(err)
		}
		return at(name)
	}
	in := func(dir string, entries ...entry) []entry {
		for i := range entries {
			entries[i].name = dir + entries[i].name
		}
		return entries
	}
	whole := func(dir string) []entry {
		return in(dir, entry{name: core, data: library}, entry{name: cuda, data: provider}, entry{name: shared, data: tie})
	}
	for name, c := range map[string]struct{ from, refused string }{
		"wheel":             {archive("good.whl", whole("onnxruntime/capi/")...), ""},
		"tgz":               {archive("good.tgz", whole("package/lib/")...), ""},
		"folder":            {at("one"), ""},
		"library file":      {at("one", core), ""},
		"apart":             {at("apart"), ""},
		"escaping names":    {archive("up.tgz", append(whole("lib/"), entry{name: "../../" + cuda, data: foreign}, entry{name: "/etc/" + shared, link: "/etc/passwd"})...), ""},
		"no library":        {archive("alone.tgz", in("lib/", entry{name: cuda, data: provider}, entry{name: shared, data: tie})...), cuda + " is there without ONNX Runtime's own library: there is no libonnxruntime.so in it"},
		"no provider":       {archive("none.whl", entry{name: core, data: library}), "there is no " + cuda + " in it"},
		"nothing to tie":    {archive("tie.whl", in("lib/", entry{name: core, data: library}, entry{name: cuda, data: provider})...), cuda + " is there without " + shared},
		"another version":   {archive("mixed.whl", in("lib/", entry{name: "libonnxruntime.so", data: read(at("old", "libonnxruntime.so"))}, entry{name: cuda, data: provider}, entry{name: shared, data: tie})...), cuda + " is of 1.31.1, ONNX Runtime's own library of 1.30.0: both have to be of one version"},
		"no version":        {archive("unversioned.whl", in("lib/", entry{name: core, data: library}, entry{name: cuda, data: read(at("unversioned", cuda))}, entry{name: shared, data: tie})...), cuda + " is of another version"},
		"library for CPUs":  {archive("cpu.whl", in("lib/", entry{name: core, data: read(at("cpu", core))}, entry{name: cuda, data: provider}, entry{name: shared, data: tie})...), "its libonnxruntime.so is built without CUDAExecutionProvider (it has CPUExecutionProvider)"},
		"other machine":     {archive("arm.whl", in("lib/", entry{name: core, data: library}, entry{name: cuda, data: foreign}, entry{name: shared, data: tie})...), "built for another architecture"},
		"text for provider": {archive("text.whl", in("lib/", entry{name: core, data: library}, entry{name: cuda, data: []byte(strings.Repeat("text", 99))}, entry{name: shared, data: tie})...), "not an ELF library"},
		"twice":             {archive("twice.whl", append(whole("lib/"), entry{name: "lib/" + cuda, data: provider})...), "it has two files " + cuda},
		"cut":               {archive("cut.tgz", whole("lib/")...), "unexpected EOF"},
		"cut wheel":         {archive("cut.whl", whole("lib/")...), "read archive"},
		"not there":         {at("nothing.whl"), "no such file"},
		"module":            {"", "no place is known to fetch it from"},
	} {
		t.Run(name, func(t *testing.T) {
			outside := t.TempDir()
			cache := filepath.Join(outside, "a", "cache")
			const installed = "1.31.1-cuda"
			touch(t, filepath.Join(cache, installed, "mine"))
			l, err := installInto(cache, InstallOptions{From: c.from, CUDA: true})
			if c.refused != "" {
				if err == nil || !strings.Contains(err.Error(), c.refused) || strings.Count(err.Error(), "\n") > 1 {
					t.Errorf("%v, want %q", err, c.refused)
				}
				if got := tree(t, outside); !slices.Equal(got, []string{"a/cache/" + installed + "/mine"}) {
					t.Errorf("what was there has become %v", got)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if l.Version != "1.31.1" || l.Path != filepath.Join(cache, installed, "libonnxruntime.so") {
				t.Errorf("%+v", l)
			}
			var want []string
			for _, f := range []string{"libonnxruntime.so", cuda, shared} {
				want = append(want, "a/cache/"+installed+"/"+f)
			}
			if got := tree(t, outside); !slices.Equal(got, want) {
				t.Errorf("%v, want %v", got, want)
			}
			if !slices.Equal(read(filepath.Join(cache, installed, cuda)), provider) || !slices.Equal(read(l.Path), library) {
				t.Error("other bytes")
			}
		})
	}
	// Found later under the provider's name.
	if got := cachedVersions(filepath.Join(root), CUDA); len(got) == 0 {
		t.Error("nothing")
	}
	stale, fresh := filepath.Join(root, "cache", ".install-1"), filepath.Join(root, "cache", ".install-2")
	touch(t, filepath.Join(stale, "0"))
	touch(t, filepath.Join(fresh, "0"))
	if err := os.Chtimes(stale, time.Time{}, time.Now().Add(-25*time.Hour)); err != nil {
		t.Fatal(err)
	}
	removeUnfinished(filepath.Join(root, "cache"))
	if got := tree(t, filepath.Join(root, "cache")); !slices.Equal(got, []string{".install-2/0"}) {
		t.Error(got)
	}
	if err := checkCUDA(at("liar"), "1.32.0"); err == nil {
		t.Error("no provider there, and no error")
	}
}
