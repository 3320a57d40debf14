package runtime

import (
	"fmt"
	"os"
	"path/filepath"
	goruntime "runtime"
	"slices"
	"strings"

	"github.com/adrg/xdg"
)

// fixMissing is what to do when there is no library.
const fixMissing = "graft runtime install --from FILE, or --ort-lib FILE"

// FindLibrary looks for ONNX Runtime in this order: o.Library, the environment variable GRAFT_ORT_LIB, beside the binary,
// graft's cache (see Install), the system's folders, and the Go module that carries it, which the go command fetches when it
// is not yet in the module cache. What the first two name must be usable. Elsewhere a library that is not, is passed over;
// checking one loads it. The error is a *MissingError with every place that was tried.
func FindLibrary(o Options) (*Library, error) {
	return newFinder(o, true).find(o)
}

// explicitLibrary is the library that the user names, and how.
func explicitLibrary(o Options) (path, source string) {
	if o.Library != "" {
		return o.Library, "--ort-lib"
	}
	return os.Getenv("GRAFT_ORT_LIB"), "GRAFT_ORT_LIB"
}

// folder is a place to look in.
type folder struct{ path, source string }

// finder is a lookup with everything that it takes from the machine, so that tests can put other things there.
type finder struct {
	folders []folder
	tried   []Place
	module  func() (path string, tried Place)
	probe   func(path string) (version string, err error)
}

func newFinder(o Options, fetch bool) *finder {
	f := &finder{probe: probeFile}
	if exe, err := os.Executable(); err == nil {
		if resolved, err := filepath.EvalSymlinks(exe); err == nil {
			exe = resolved
		}
		f.folders = append(f.folders, folder{filepath.Dir(exe), "beside the binary"})
	}
	if cache := cacheFolder(); cache != "" {
		for _, dir := range cachedVersions(cache, ProviderName(o.Provider)) {
			f.folders = append(f.folders, folder{dir, "cache"})
		}
	}
	for _, dir := range systemFolders() {
		f.folders = append(f.folders, folder{dir, "system"})
	}
	f.module = func() (string, Place) { return moduleLibrary(fetch, o.Log) }
	return f
}

func (f *finder) find(o Options) (*Library, error) {
	if path, source := explicitLibrary(o); path != "" {
		if abs, err := filepath.Abs(path); err == nil {
			path = abs
		}
		version, err := f.probe(path)
		if err != nil {
			return nil, &MissingError{
				What: fmt.Sprintf("load ONNX Runtime from %s (named by %s): %v", path, source, err),
				Fix:  "name a shared library of ONNX Runtime 1." + fmt.Sprint(apiVersion) + " or newer for this machine",
			}
		}
		return &Library{path, version, source}, nil
	}
	for _, dir := range f.folders {
		files := libraryFiles(dir.path)
		if len(files) == 0 {
			f.tried = append(f.tried, Place{dir.path, "none there"})
		}
		for _, path := range files {
			version, err := f.probe(path)
			if err == nil {
				return &Library{path, version, dir.source}, nil
			}
			f.tried = append(f.tried, Place{path, err.Error()})
		}
	}
	if f.module != nil {
		path, tried := f.module()
		if path != "" {
			version, err := f.probe(path)
			if err == nil {
				return &Library{path, version, "module cache"}, nil
			}
			tried = Place{path, err.Error()}
		}
		f.tried = append(f.tried, tried)
	}
	return nil, &MissingError{What: "load ONNX Runtime: no usable library", Tried: f.tried, Fix: fixMissing}
}

// libraryFiles are the files of a folder that are called as the library is: the plain name first, then the newest version.
// Of several names for one file only the first counts.
func libraryFiles(dir string) []string {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	var names []string
	for _, e := range entries {
		if isLibraryName(e.Name()) {
			names = append(names, e.Name())
		}
	}
	slices.SortFunc(names, byPlainThenNewest)
	var files []string
	for _, name := range names {
		path := filepath.Join(dir, name)
		if !slices.ContainsFunc(files, func(other string) bool { return sameFile(path, other) }) {
			files = append(files, path)
		}
	}
	return files
}

// cacheFolder holds a folder for each installed version; empty where there is no home for a cache, lest a library be loaded
// from wherever the program happens to run.
func cacheFolder() string {
	if !filepath.IsAbs(xdg.CacheHome) {
		return ""
	}
	return filepath.Join(xdg.CacheHome, "graft", "ort")
}

// cachedVersions are the folders of installed versions: those with the provider's own library first, then the newest.
func cachedVersions(cache, provider string) []string {
	entries, err := os.ReadDir(cache)
	if err != nil {
		return []string{cache}
	}
	var versions []string
	for _, e := range entries {
		if e.IsDir() && !strings.HasPrefix(e.Name(), ".") {
			versions = append(versions, e.Name())
		}
	}
	serves := func(v string) bool {
		return (providerLibrary(filepath.Join(cache, v), provider) != "") == (provider != CPU)
	}
	slices.SortFunc(versions, func(a, b string) int {
		if x, y := serves(a), serves(b); x != y {
			if x {
				return -1
			}
			return 1
		}
		return compareVersions(b, a)
	})
	for i, v := range versions {
		versions[i] = filepath.Join(cache, v)
	}
	if len(versions) == 0 {
		return []string{cache}
	}
	return versions
}

// systemFolders are where packages and administrators put libraries.
func systemFolders() []string {
	var dirs []string
	switch goruntime.GOOS {
	case "windows":
		if programs := os.Getenv("ProgramFiles"); programs != "" {
			dirs = append(dirs, filepath.Join(programs, "onnxruntime", "lib"))
		}
		return dirs
	case "darwin":
		dirs = append(filepath.SplitList(os.Getenv("DYLD_LIBRARY_PATH")), "/opt/homebrew/lib", "/usr/local/lib", "/opt/local/lib")
	default:
		dirs = append(filepath.SplitList(os.Getenv("LD_LIBRARY_PATH")), "/usr/local/lib", "/usr/local/lib64")
		if triplet, ok := triplets[goruntime.GOARCH]; ok {
			dirs = append(dirs, "/usr/local/lib/"+triplet, "/usr/lib/"+triplet)
		}
		dirs = append(dirs, "/usr/lib64", "/usr/lib", "/opt/onnxruntime/lib")
	}
	return slices.DeleteFunc(dirs, func(d string) bool { return !filepath.IsAbs(d) })
}

// triplets are the folders' names that Debian and its kin give to architectures.
var triplets = map[string]string{
	"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu", "arm": "arm-linux-gnueabihf", "386": "i386-linux-gnu",
	"riscv64": "riscv64-linux-gnu", "ppc64le": "powerpc64le-linux-gnu", "s390x": "s390x-linux-gnu", "loong64": "loongarch64-linux-gnu",
}

// sameFile reports whether two paths lead to one file.
func sameFile(a, b string) bool {
	if filepath.Clean(a) == filepath.Clean(b) {
		return true
	}
	x, err1 := os.Stat(a)
	y, err2 := os.Stat(b)
	return err1 == nil && err2 == nil && os.SameFile(x, y)
}
