package outdir

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"graft/onnx/atomicfile"
)

// Names beside and inside the output folder.
const (
	manifestName  = "manifest.json" // says that graft made the folder
	markerName    = ".graft-run"    // says that the work folder is graft's and not finished
	partialSuffix = ".partial"      // PATH.partial is the work folder
	oldSuffix     = ".graft-old"    // .PATH.graft-old is the former folder while the new one takes its place
	trashSuffix   = ".graft-trash"  // .PATH.graft-trash is on its way out, whole or not
	lockSuffix    = ".graft-lock"   // .PATH.graft-lock is locked by the run that owns the work folder
)

// ErrInUse says that another run owns the work folder.
var ErrInUse = errors.New("another graft run is writing here: wait for it or choose another folder")

// Dir is an output folder in the making. It is for one goroutine.
type Dir struct {
	path    string // as the caller named it, cleaned
	work    string
	old     string
	trash   string
	force   bool
	resumed bool
	lock    *atomicfile.Lock // nil when the Dir is done
}

// Create starts a fresh run that will replace the folder path, which may be missing or empty, or made by graft (it holds
// manifest.json with "producer": "graft"), or anything when force is set; a file, a link, the current folder and its
// parents, the home folder and a root are refused always. Missing parents are made. What an earlier run left behind is
// repaired; its work folder is discarded.
// The folder stays as it is until Commit. Two runs cannot share a path: the second has ErrInUse.
func Create(path string, force bool) (*Dir, error) { return open(path, force, false) }

// Resume is Create, except that an unfinished run's work folder is kept when there is one; Resumed tells.
func Resume(path string, force bool) (*Dir, error) { return open(path, force, true) }

func open(path string, force, resume bool) (d *Dir, err error) {
	if path == "" {
		return nil, errors.New("no output folder is named")
	}
	path = filepath.Clean(path)
	if err := refuseAlways(path); err != nil {
		return nil, err
	}
	parent, name := filepath.Split(path)
	if parent == "" {
		parent = "."
	}
	d = &Dir{
		path: path, work: path + partialSuffix, force: force,
		old: filepath.Join(parent, "."+name+oldSuffix), trash: filepath.Join(parent, "."+name+trashSuffix),
	}
	if err := os.MkdirAll(parent, 0o777); err != nil {
		return nil, atomicfile.Wrap(path, err)
	}
	lockPath := filepath.Join(parent, "."+name+lockSuffix)
	if d.lock, err = atomicfile.TryLock(lockPath); err != nil {
		if errors.Is(err, atomicfile.ErrLocked) {
			return nil, fmt.Errorf("output folder %s: %w", path, ErrInUse)
		}
		return nil, atomicfile.Wrap(path, err)
	}
	taken := d
	defer func() {
		if err != nil {
			taken.release()
		}
	}()
	if err := d.repair(); err != nil {
		return nil, err
	}
	if err := d.replaceable(); err != nil {
		return nil, err
	}
	if err := d.begin(resume); err != nil {
		return nil, err
	}
	return d, nil
}

// begin makes the work folder, or takes over the one that is there.
func (d *Dir) begin(resume bool) error {
	info, err := os.Lstat(d.work)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return atomicfile.Wrap(d.work, err)
	case !info.IsDir():
		return fmt.Errorf("output folder %s: %s is in the way and is not a folder: move it", d.path, d.work)
	default:
		made, err := ours(d.work)
		if err != nil {
			return err
		}
		if !made {
			return fmt.Errorf("output folder %s: %s is in the way and graft did not make it: move it", d.path, d.work)
		}
		if resume {
			d.resumed = true
			break
		}
		if err := d.discard(); err != nil {
			return err
		}
	}
	if err := os.Mkdir(d.work, 0o777); err != nil && !(d.resumed && errors.Is(err, fs.ErrExist)) {
		return atomicfile.Wrap(d.work, err)
	}
	// The marker is in place before anything else, so that a work folder without it is never graft's.
	marker := filepath.Join(d.work, markerName)
	if exists(marker) {
		return atomicfile.Wrap(d.work, atomicfile.RemoveLeftovers(d.work))
	}
	f, err := os.OpenFile(marker, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		_ = os.Remove(d.work) // if it is empty: without a marker it would be in the next run's way
		return atomicfile.Wrap(d.work, err)
	}
	return atomicfile.Wrap(d.work, f.Close())
}

// discard removes the work folder. It is renamed first: half removed it might have lost its marker.
func (d *Dir) discard() error {
	if err := os.RemoveAll(d.trash); err != nil {
		return atomicfile.Wrap(d.trash, err)
	}
	if err := os.Rename(d.work, d.trash); err != nil {
		return atomicfile.Wrap(d.work, err)
	}
	return atomicfile.Wrap(d.trash, os.RemoveAll(d.trash))
}

// Resumed reports whether the work folder holds what an earlier run left.
func (d *Dir) Resumed() bool { return d.resumed }

// Path is the output folder, as it will be called after Commit.
func (d *Dir) Path() string { return d.path }

// File is where a file of the output is until Commit. The name uses slashes and cannot lead out of the folder.
func (d *Dir) File(name string) string {
	return filepath.Join(d.work, filepath.Clean(string(filepath.Separator)+filepath.FromSlash(name)))
}

// WriteFile writes a file of the output, whole or not at all, and the folders it is in.
func (d *Dir) WriteFile(name string, data []byte) error {
	return d.Write(name, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// Write is WriteFile of what fill writes.
func (d *Dir) Write(name string, fill func(io.Writer) error) error {
	path := d.File(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return atomicfile.Wrap(path, err)
	}
	return atomicfile.Write(path, 0o666, fill)
}

// Suspend ends the run and keeps its work folder for Resume. After Commit or Abort it does nothing.
func (d *Dir) Suspend() error {
	if d.lock == nil {
		return nil
	}
	return d.release()
}

// Abort ends the run and removes its work folder. After Commit or Suspend it does nothing.
func (d *Dir) Abort() error {
	if d.lock == nil {
		return nil
	}
	return errors.Join(d.discard(), d.release())
}

func (d *Dir) release() error {
	err := d.lock.Release()
	d.lock = nil
	return err
}
