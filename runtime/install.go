package runtime

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// InstallOptions say what to install.
type InstallOptions struct {
	From string       // a library file, a folder that is searched, or an archive (.tgz, .zip, .whl, .nupkg); empty: the Go module
	CUDA bool         // the provider for CUDA has to be there, with the library that it was built with
	Log  func(string) // told before something slow happens; may be nil
}

// Install puts ONNX Runtime into graft's cache, where FindLibrary sees it. Providers that lie beside the library come along.
// The library is checked, which loads it, before it takes its place; what was installed of the same version is replaced as a
// whole.
func Install(o InstallOptions) (*Library, error) {
	cache := cacheFolder()
	if cache == "" {
		return nil, &MissingError{What: "install ONNX Runtime: there is no cache folder", Fix: "set HOME or XDG_CACHE_HOME"}
	}
	return installInto(cache, o)
}

// found is a file with the name of a library or provider. dir says which files lay together; it never becomes a path.
type found struct{ path, dir, name string }

func installInto(cache string, o InstallOptions) (*Library, error) {
	if o.From == "" && o.CUDA {
		return nil, &MissingError{What: "install the provider for CUDA: no place is known to fetch it from", Fix: fixProvider}
	}
	if o.From == "" {
		path, tried := moduleLibrary(true, o.Log)
		if path == "" {
			return nil, &MissingError{What: "install ONNX Runtime: nothing could be fetched", Tried: []Place{tried},
				Fix: "graft runtime install --from FILE"}
		}
		o.From = path
	}
	refuse := func(err error, fix string) error {
		return &MissingError{What: fmt.Sprintf("install ONNX Runtime from %s: %v", o.From, err), Fix: fix}
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return nil, fmt.Errorf("install ONNX Runtime: %w", err)
	}
	removeUnfinished(cache)
	work, err := os.MkdirTemp(cache, unfinished)
	if err != nil {
		return nil, fmt.Errorf("install ONNX Runtime: %w", err)
	}
	defer os.RemoveAll(work)
	files, err := collect(o.From, work)
	if err != nil {
		return nil, fmt.Errorf("install ONNX Runtime from %s: %w", o.From, err)
	}
	var chosen []found
	if o.CUDA {
		if chosen, err = chooseCUDA(files); err != nil {
			return nil, refuse(err, fixPair)
		}
	} else if chosen, err = chooseLibrary(files); err != nil {
		return nil, refuse(err, "name a build for this machine")
	}
	stage := filepath.Join(work, "stage")
	if err := stageFiles(stage, chosen, work); err != nil {
		return nil, fmt.Errorf("install ONNX Runtime from %s: %w", o.From, err)
	}
	version, err := probeFile(filepath.Join(stage, libraryName()))
	if err != nil {
		return nil, refuse(err, fmt.Sprintf("name ONNX Runtime 1.%d or newer for this machine", apiVersion))
	}
	if o.CUDA {
		if err := checkCUDA(stage, version); err != nil {
			return nil, refuse(err, fixPair)
		}
	}
	target := filepath.Join(cache, folderName(version, stage))
	if err := replaceFolder(stage, target, filepath.Join(work, "old")); err != nil {
		return nil, fmt.Errorf("install ONNX Runtime: %w", err)
	}
	return &Library{filepath.Join(target, libraryName()), version, "cache"}, nil
}

// unfinished begins the names of folders in the cache that an installation works in.
const unfinished = ".install-"

// removeUnfinished removes what installations that were killed have left behind, a day after.
func removeUnfinished(cache string) {
	entries, err := os.ReadDir(cache)
	if err != nil {
		return
	}
	for _, e := range entries {
		info, err := e.Info()
		if err == nil && e.IsDir() && strings.HasPrefix(e.Name(), unfinished) && time.Since(info.ModTime()) > 24*time.Hour {
			_ = os.RemoveAll(filepath.Join(cache, e.Name()))
		}
	}
}

// collect finds libraries and providers in from; those in an archive are written into work.
func collect(from, work string) ([]found, error) {
	info, err := os.Stat(from)
	switch {
	case err != nil:
		return nil, pathReason(err)
	case info.IsDir():
		return searchFolder(from)
	case !info.Mode().IsRegular():
		return nil, errors.New("neither a regular file nor a folder")
	}
	if files, ok, err := unpack(from, work); ok || err != nil {
		return files, err
	}
	files := []found{{from, "", libraryName()}} // under any name: it is checked by its contents
	entries, err := os.ReadDir(filepath.Dir(from))
	if err != nil {
		return files, nil
	}
	for _, e := range entries {
		if e.Type().IsRegular() && isProviderLibraryName(e.Name()) {
			files = append(files, found{filepath.Join(filepath.Dir(from), e.Name()), "", e.Name()})
		}
	}
	return files, nil
}

// maxSearched bounds the entries of a folder or archive that are looked at.
const maxSearched = 100_000

func searchFolder(root string) (files []found, err error) {
	seen := 0
	err = filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			if path == root {
				return pathReason(err)
			}
			return nil // a folder that may not be read
		}
		if seen++; seen > maxSearched {
			return fmt.Errorf("more than %d entries: name the folder that has the library", maxSearched)
		}
		if e.Type().IsRegular() && (isLibraryName(e.Name()) || isProviderLibraryName(e.Name())) {
			files = append(files, found{path, filepath.Dir(path), e.Name()})
		}
		return nil
	})
	return files, err
}

// chooseLibrary picks the library for this machine, the newest by name, then the first by folder, and the providers beside it.
func chooseLibrary(files []found) ([]found, error) {
	libraries, err := librariesOf(files)
	if err != nil {
		return nil, err
	}
	return append(libraries[:1:1], providersIn(files, libraries[0].dir)...), nil
}

// librariesOf are the libraries for this machine, the newest by name first.
func librariesOf(files []found) ([]found, error) {
	var fit []found
	reasons := map[string]bool{}
	for _, f := range files {
		if !isLibraryName(f.name) {
			continue
		}
		if err := checkFormat(f.path); err != nil {
			reasons[f.name+": "+err.Error()] = true
			continue
		}
		fit = append(fit, f)
	}
	if len(fit) == 0 {
		if len(reasons) == 0 {
			return nil, fmt.Errorf("there is no %s in it", libraryName())
		}
		list := slices.Sorted(maps.Keys(reasons))
		return nil, errors.New(strings.Join(list[:min(3, len(list))], "; "))
	}
	slices.SortStableFunc(fit, func(a, b found) int {
		if c := compareVersions(b.name, a.name); c != 0 {
			return c
		}
		return strings.Compare(a.dir, b.dir)
	})
	return fit, nil
}

// providersIn are the providers for this machine in a folder.
func providersIn(files []found, dir string) []found {
	return slices.DeleteFunc(slices.Clone(files), func(f found) bool {
		return f.dir != dir || !isProviderLibraryName(f.name) || checkFormat(f.path) != nil
	})
}

// stageFiles puts the library, under its plain name, and the providers behind it into a new folder. Files in work are moved,
// others are copied.
func stageFiles(stage string, chosen []found, work string) error {
	if err := os.Mkdir(stage, 0o755); err != nil {
		return err
	}
	for i, f := range chosen {
		name := f.name
		if i == 0 {
			name = libraryName()
		}
		to, put := filepath.Join(stage, name), copyFile
		if filepath.Dir(f.path) == work {
			put = moveFile
		}
		if err := put(f.path, to); err != nil {
			return err
		}
	}
	return syncFolder(stage)
}

// moveFile renames a file to a name that is not taken.
func moveFile(from, to string) error {
	if _, err := os.Lstat(to); err == nil {
		return fmt.Errorf("it has two files %s", filepath.Base(to))
	}
	return os.Rename(from, to)
}

func copyFile(from, to string) error {
	r, err := os.Open(from)
	if err != nil {
		return err
	}
	defer r.Close()
	return writeFile(to, r, maxLibraryBytes)
}

// writeFile writes a new file of at most limit bytes and syncs it.
func writeFile(path string, r io.Reader, limit int64) error {
	w, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("it has two files %s", filepath.Base(path))
	}
	if err != nil {
		return err
	}
	n, err := io.Copy(w, io.LimitReader(r, limit+1))
	if err == nil && n > limit {
		err = fmt.Errorf("a file in it has more than %d bytes", limit)
	}
	if err == nil {
		err = w.Sync()
	}
	return errors.Join(err, w.Close())
}

var versionName = regexp.MustCompile(`^\d{1,4}(\.\d{1,4}){1,3}([-+][A-Za-z0-9.]{1,32})?$`)

// folderName is the cache's folder of a version. Builds with device providers stand beside the plain one.
func folderName(version, stage string) string {
	if !versionName.MatchString(version) {
		version = "unknown" // a build that cannot load the library, or a library that says something odd
	}
	for _, short := range []string{"cuda", "rocm", "openvino", "migraphx"} {
		if providerLibrary(stage, ProviderName(short)) != "" {
			version += "-" + short
		}
	}
	return version
}

// replaceFolder moves stage to target; what was there goes to old first.
func replaceFolder(stage, target, old string) error {
	if err := os.Rename(target, old); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Rename(stage, target); err != nil {
		return errors.Join(err, os.Rename(old, target))
	}
	return syncFolder(filepath.Dir(target))
}
