package outdir

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"graft/onnx/atomicfile"
	"graft/onnx/limits"
)

// maxManifest bounds what is read of a manifest that anybody may have written.
const maxManifest = 64 << 20

// refuseAlways says why path must not become an output folder, force or not.
func refuseAlways(path string) error {
	whole, err := filepath.Abs(path)
	if err != nil {
		return atomicfile.Wrap(path, err)
	}
	if filepath.Dir(whole) == whole {
		return fmt.Errorf("output folder %s: is the root folder: name a folder of its own", path)
	}
	if cwd, err := os.Getwd(); err == nil {
		if rel, err := filepath.Rel(whole, cwd); err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator)) {
			return fmt.Errorf("output folder %s: is the current folder or one above it: name a folder of its own", path)
		}
	}
	if home, err := os.UserHomeDir(); err == nil && filepath.Clean(home) == whole {
		return fmt.Errorf("output folder %s: is the home folder: name a folder in it", path)
	}
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return atomicfile.Wrap(path, err)
	case info.Mode()&fs.ModeSymlink != 0:
		return fmt.Errorf("output folder %s: is a symbolic link: name the folder itself", path)
	case !info.IsDir():
		return fmt.Errorf("output folder %s: is a file: name a folder", path)
	}
	return nil
}

// replaceable says why the folder that is there must stay.
func (d *Dir) replaceable() error {
	if err := refuseAlways(d.path); err != nil {
		return err
	}
	entries, err := readSome(d.path)
	if errors.Is(err, fs.ErrNotExist) || (err == nil && len(entries) == 0) || d.force {
		return nil
	}
	if err != nil {
		return atomicfile.Wrap(d.path, err)
	}
	made, err := hasManifest(d.path)
	if err != nil {
		return err
	}
	if !made {
		return fmt.Errorf("output folder %s: has files that graft did not make (no %s of graft's): choose another, or give --force to replace it", d.path, manifestName)
	}
	return nil
}

// readSome gives a few of a folder's names.
func readSome(path string) ([]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	names, err := f.Readdirnames(1)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return names, err
}

// ours reports whether graft made the work folder: it holds the marker or a manifest, or nothing at all.
func ours(work string) (bool, error) {
	if info, err := os.Lstat(filepath.Join(work, markerName)); err == nil && info.Mode().IsRegular() {
		return true, nil
	}
	names, err := readSome(work)
	if err != nil {
		return false, atomicfile.Wrap(work, err)
	}
	if len(names) == 0 {
		return true, nil
	}
	return hasManifest(work)
}

// hasManifest reports whether a folder holds a manifest of graft's. A manifest that is none counts as missing.
func hasManifest(dir string) (bool, error) {
	path := filepath.Join(dir, manifestName)
	if info, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) || err == nil && !info.Mode().IsRegular() {
		return false, nil
	}
	f, size, err := limits.OpenRegular(path)
	if err != nil {
		return false, atomicfile.Wrap(path, err)
	}
	defer f.Close()
	if size > maxManifest {
		return false, nil
	}
	var manifest struct {
		Producer string `json:"producer"`
	}
	return json.NewDecoder(io.LimitReader(f, maxManifest)).Decode(&manifest) == nil && manifest.Producer == "graft", nil
}
