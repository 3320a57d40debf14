package runtime

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	goruntime "runtime"
	"slices"
	"strings"
	"testing"
)

// entry is a file, or with a link target a link, of an archive.
type entry struct {
	name, link string
	data       []byte
}

func tgz(t *testing.T, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.NoCompression)
	if err != nil {
		t.Fatal(err)
	}
	w := tar.NewWriter(z)
	for _, e := range entries {
		h := &tar.Header{Name: e.name, Mode: 0o644, Size: int64(len(e.data)), Typeflag: tar.TypeReg}
		if e.link != "" {
			h.Typeflag, h.Linkname = tar.TypeSymlink, e.link
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(e.data); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zipped(t *testing.T, method uint16, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, e := range entries {
		h := &zip.FileHeader{Name: e.name, Method: method}
		data := e.data
		if e.link != "" {
			h.SetMode(0o777 | os.ModeSymlink)
			data = []byte(e.link)
		}
		f, err := w.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// tree lists all files under a folder.
func tree(t *testing.T, root string) (files []string) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(root, path)
			files = append(files, filepath.ToSlash(rel))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// realLibrary is this machine's ONNX Runtime and its contents.
func realLibrary(t *testing.T) (*Library, []byte) {
	t.Helper()
	l, err := FindLibrary(Options{})
	if err == nil {
		err = Supported()
	}
	if err != nil && os.Getenv("ORT_REQUIRED") == "1" {
		t.Fatal(err)
	}
	if err != nil {
		t.Skip(err)
	}
	b, err := os.ReadFile(l.Path)
	if err != nil {
		t.Fatal(err)
	}
	return l, b
}

func TestInstall(t *testing.T) {
	if goruntime.GOOS != "linux" {
		t.Skip("names as on Linux")
	}
	library, lib := realLibrary(t)
	version := library.Version
	provider := append([]byte(nil), lib[:4096]...)
	root := t.TempDir()
	write := func(name string, data []byte) string {
		p := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, data, 0o644); err != nil {
			t.Fatal(err)
		}
		return p
	}
	foreign := append([]byte(nil), lib[:4096]...)
	foreign[18] ^= 0xff // another machine
	write("dir/other/libonnxruntime.so.1.99.0", foreign)
	write("dir/lib/libonnxruntime_providers_cuda.so", provider)
	write("dir/libonnxruntime_providers_shared.so", provider) // lies elsewhere
	if err := os.Link(library.Path, filepath.Join(root, "dir/lib/libonnxruntime.so.1.28.2")); err != nil {
		write("dir/lib/libonnxruntime.so.1.28.2", lib)
	}
	release := []entry{
		{name: "ort/lib/libonnxruntime.so", link: "libonnxruntime.so.1"},
		{name: "ort/lib/libonnxruntime.so.1", link: "libonnxruntime.so.1.28.2"},
		{name: "ort/lib/libonnxruntime.so.1.28.2", data: lib},
		{name: "ort/lib/libonnxruntime_providers_shared.so", data: provider},
		{name: "ort/include/a.h", data: []byte("x")},
	}
	hostile := append([]entry{
		{name: "../../libonnxruntime_providers_up.so", data: provider},
		{name: "/tmp/libonnxruntime.so", data: foreign},
		{name: "ort/lib/libonnxruntime_providers_link.so", link: "/etc/passwd"},
	}, release...)
	for name, c := range map[string]struct {
		from string
		want []string
	}{
		"file":        {library.Path, []string{version + "/libonnxruntime.so"}},
		"file's name": {write("renamed.bin", lib), []string{version + "/libonnxruntime.so"}},
		"dir":         {filepath.Join(root, "dir"), []string{version + "-cuda/libonnxruntime.so", version + "-cuda/libonnxruntime_providers_cuda.so"}},
		"tgz":         {write("a.tgz", tgz(t, release...)), []string{version + "/libonnxruntime.so", version + "/libonnxruntime_providers_shared.so"}},
		"nupkg":       {write("a.nupkg", zipped(t, zip.Store, release...)), []string{version + "/libonnxruntime.so", version + "/libonnxruntime_providers_shared.so"}},
		"hostile tgz": {write("h.tgz", tgz(t, hostile...)), []string{version + "/libonnxruntime.so", version + "/libonnxruntime_providers_shared.so"}},
		"hostile zip": {write("h.whl", zipped(t, zip.Store, hostile...)), []string{version + "/libonnxruntime.so", version + "/libonnxruntime_providers_shared.so"}},
	} {
		t.Run(name, func(t *testing.T) {
			outside := t.TempDir()
			cache := filepath.Join(outside, "a", "cache")
			for range 2 { // the second replaces the first
				l, err := installInto(cache, InstallOptions{From: c.from})
				if err != nil {
					t.Fatal(err)
				}
				if l.Version != version || l.Path != filepath.Join(cache, c.want[0]) {
					t.Errorf("%+v", l)
				}
			}
			if got := tree(t, cache); !slices.Equal(got, c.want) {
				t.Errorf("%v, want %v", got, c.want)
			}
			if len(tree(t, outside)) != len(c.want) {
				t.Errorf("files outside of the cache: %v", tree(t, outside))
			}
			installed, err := os.ReadFile(filepath.Join(cache, c.want[0]))
			if err != nil || !bytes.Equal(installed, lib) {
				t.Error("not the library's bytes", err)
			}
		})
	}
}

func TestInstallRefuses(t *testing.T) {
	if goruntime.GOOS != "linux" {
		t.Skip("names as on Linux")
	}
	root := t.TempDir()
	write := func(name string, data []byte) string {
		p := filepath.Join(root, name)
		if err := os.WriteFile(p, data, 0o644); err != nil {
			t.Fatal(err)
		}
		return p
	}
	var many []entry
	for range maxTaken + 1 {
		many = append(many, entry{name: "libonnxruntime.so", data: []byte("x")})
	}
	good := tgz(t, entry{name: "libonnxruntime.so", data: bytes.Repeat([]byte("lib"), 1000)})
	empty := t.TempDir()
	old, oldWant := filepath.Join(root, "old.so"), "1.20.0 is too old"
	if Supported() == nil {
		fakeLibrary(t, old, "1.20.0")
	} else {
		oldWant = "no such file"
	}
	for name, c := range map[string]struct{ from, want string }{
		"nothing there":  {filepath.Join(root, "none"), "no such file"},
		"empty folder":   {empty, "no libonnxruntime.so in it"},
		"device":         {"/dev/zero", "neither a regular file nor a folder"},
		"text":           {write("text", bytes.Repeat([]byte("text"), 100)), "not an ELF library"},
		"empty file":     {write("empty", nil), "too short"},
		"too old":        {old, oldWant},
		"no library":     {write("none.tgz", tgz(t, entry{name: "a.txt", data: []byte("x")})), "no libonnxruntime.so in it"},
		"only links":     {write("links.tgz", tgz(t, entry{name: "libonnxruntime.so", link: "/usr/lib/libc.so"})), "no libonnxruntime.so in it"},
		"not a library":  {write("text.tgz", good), "not an ELF library"},
		"cut":            {write("cut.tgz", good[:len(good)/2]), "unexpected EOF"},
		"cut zip":        {write("cut.zip", zipped(t, zip.Deflate, entry{name: "libonnxruntime.so", data: good})[:60]), "read archive"},
		"many libraries": {write("many.tgz", tgz(t, many...)), "more than 64 libraries"},
		"bomb":           {write("bomb.zip", bomb(t)), "unpacks to more than"},
		"bomb aside":     {write("bomb.tgz", tarBomb(t)), "unpacks to more than"},
	} {
		t.Run(name, func(t *testing.T) {
			cache := t.TempDir()
			_, err := installInto(cache, InstallOptions{From: c.from})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
			if left := tree(t, cache); len(left) != 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

// zeros is 128 MiB of them.
func zeros() io.Reader { return io.LimitReader(zeroReader{}, 128<<20) }

type zeroReader struct{}

func (zeroReader) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// bomb is a zip of which the library unpacks to a thousand times its size.
func bomb(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	f, err := w.Create("libonnxruntime.so")
	if err == nil {
		_, err = io.Copy(f, zeros())
	}
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// tarBomb is a tar whose bomb is not even the library.
func tarBomb(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	err := w.WriteHeader(&tar.Header{Name: "padding", Size: 128 << 20, Typeflag: tar.TypeReg})
	if err == nil {
		_, err = io.Copy(w, zeros())
	}
	if err := errors.Join(err, w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestReplaceFolder checks that what was installed comes back when its successor cannot take its place.
func TestReplaceFolder(t *testing.T) {
	root := t.TempDir()
	target := filepath.Join(root, "1.28.2")
	touch(t, filepath.Join(target, "mine"))
	if err := replaceFolder(filepath.Join(root, "no stage"), target, filepath.Join(root, "old")); err == nil {
		t.Error("no error")
	}
	if got := tree(t, root); !slices.Equal(got, []string{"1.28.2/mine"}) {
		t.Error(got)
	}
}

func TestFolderName(t *testing.T) {
	for version, want := range map[string]string{"1.28.2": "1.28.2", "1.29.0-dev.1": "1.29.0-dev.1", "../../x": "unknown", "": "unknown", "1.2/../3": "unknown"} {
		if got := folderName(version, t.TempDir()); got != want {
			t.Errorf("%q: %q, want %q", version, got, want)
		}
	}
}
