package runtime

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Install puts ONNX Runtime into graft's cache, where FindLibrary sees it: from a library file, a folder that is searched, or
// an archive (.tgz, .zip, .whl, .nupkg); from the Go module that carries it when from is empty. Providers that lie beside the
// library come along. The library is checked, which loads it, before it takes its place; what was installed of the same
// version is replaced as a whole. log may be nil.
func Install(from string, log func(string)) (*Library, error) {
	cache := cacheFolder()
	if cache == "" {
		return nil, &MissingError{What: "install ONNX Runtime: there is no cache folder", Fix: "set HOME or XDG_CACHE_HOME"}
	}
	return installInto(cache, from, log)
}

// found is a file with the name of a library or provider. dir says which files lay together; it never becomes a path.
type found struct{ path, dir, name string }

func installInto(cache, from string, log func(string)) (_ *Library, err error) {
	if from == "" {
		path, tried := moduleLibrary(true, log)
		if path == "" {
			return nil, &MissingError{What: "install ONNX Runtime: nothing could be fetched", Tried: []Place{tried},
				Fix: "graft runtime install --from FILE"}
		}
		from = path
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return nil, fmt.Errorf("install ONNX Runtime: %w", err)
	}
	work, err := os.MkdirTemp(cache, ".install-")
	if err != nil {
		return nil, fmt.Errorf("install ONNX Runtime: %w", err)
	}
	defer os.RemoveAll(work)
	files, err := collect(from, work)
	if err != nil {
		return nil, fmt.Errorf("install ONNX Runtime from %s: %w", from, err)
	}
	library, err := chooseLibrary(files)
	if err != nil {
		return nil, &MissingError{What: fmt.Sprintf("install ONNX Runtime from %s: %v", from, err), Fix: "name a build for this machine"}
	}
	stage := filepath.Join(work, "stage")
	if err := stageFiles(stage, library, files); err != nil {
		return nil, fmt.Errorf("install ONNX Runtime from %s: %w", from, err)
	}
	version, err := probeFile(filepath.Join(stage, libraryName()))
	if err != nil {
		return nil, &MissingError{What: fmt.Sprintf("install ONNX Runtime from %s: %v", from, err),
			Fix: fmt.Sprintf("name ONNX Runtime 1.%d or newer for this machine", apiVersion)}
	}
	target := filepath.Join(cache, folderName(version, stage))
	if err := replaceFolder(stage, target, filepath.Join(work, "old")); err != nil {
		return nil, fmt.Errorf("install ONNX Runtime: %w", err)
	}
	return &Library{filepath.Join(target, libraryName()), version, "cache"}, nil
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

// chooseLibrary picks the library for this machine: the newest by name, then the first by folder.
func chooseLibrary(files []found) (found, error) {
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
			return found{}, fmt.Errorf("there is no %s in it", libraryName())
		}
		list := make([]string, 0, len(reasons))
		for r := range reasons {
			list = append(list, r)
		}
		slices.Sort(list)
		return found{}, errors.New(strings.Join(list[:min(3, len(list))], "; "))
	}
	slices.SortStableFunc(fit, func(a, b found) int {
		if c := compareVersions(b.name, a.name); c != 0 {
			return c
		}
		return strings.Compare(a.dir, b.dir)
	})
	return fit[0], nil
}

// stageFiles copies the library, under its plain name, and the providers that lay beside it into a new folder.
func stageFiles(stage string, library found, files []found) error {
	if err := os.Mkdir(stage, 0o755); err != nil {
		return err
	}
	if err := copyFile(library.path, filepath.Join(stage, libraryName())); err != nil {
		return err
	}
	for _, f := range files {
		if f.dir == library.dir && isProviderLibraryName(f.name) && checkFormat(f.path) == nil {
			if err := copyFile(f.path, filepath.Join(stage, f.name)); err != nil {
				return err
			}
		}
	}
	return syncFolder(stage)
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
