package outdir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"graft/onnx/atomicfile"
)

// Commit puts the work folder in the place of the output folder and ends the run. The work folder must hold manifest.json
// with "producer": "graft", by which a later run knows that it may replace the folder. On an error the work folder stays
// for Resume and the former output folder stays, or comes back with the next run.
//
// The order is what makes a crash harmless: (1) the files are synced; (2) the marker goes, which seals the work folder;
// (3) the former folder is renamed aside; (4) the work folder gets its name; (5) the former folder is removed.
// Between (3) and (4) nothing is called path; repair then finishes the job, for a sealed folder is complete.
func (d *Dir) Commit() error {
	if d.lock == nil {
		return errors.New("commit the output folder: the run has ended already")
	}
	if err := d.commit(); err != nil {
		return errors.Join(err, d.release())
	}
	return d.release()
}

func (d *Dir) commit() error {
	made, err := hasManifest(d.work)
	if err != nil {
		return err
	}
	if !made {
		return fmt.Errorf("commit the output folder: %s has no %s with \"producer\": \"graft\"", d.work, manifestName)
	}
	if err := d.replaceable(); err != nil { // somebody may have filled it since
		return err
	}
	if err := syncTree(d.work); err != nil {
		return atomicfile.Wrap(d.path, err)
	}
	if err := os.Remove(filepath.Join(d.work, markerName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return atomicfile.Wrap(d.path, err)
	}
	if err := atomicfile.SyncFolder(d.work); err != nil {
		return atomicfile.Wrap(d.path, err)
	}
	if err := os.Rename(d.path, d.old); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return atomicfile.Wrap(d.path, err)
	}
	if err := d.syncParent(); err != nil {
		return err
	}
	if err := d.promote(); err != nil {
		return err
	}
	return d.dropOld()
}

// promote gives the work folder the output folder's name.
func (d *Dir) promote() error {
	if err := os.Rename(d.work, d.path); err != nil {
		return atomicfile.Wrap(d.path, err)
	}
	return d.syncParent()
}

func (d *Dir) dropOld() error {
	if err := os.RemoveAll(d.old); err != nil {
		return atomicfile.Wrap(d.old, err)
	}
	return d.syncParent()
}

func (d *Dir) syncParent() error {
	return atomicfile.Wrap(d.path, atomicfile.SyncFolder(filepath.Dir(d.path)))
}

// repair ends a Commit that was cut off. The lock is held.
//
//	old folder aside | path | work folder | cut off            | what is done
//	no               | any  | any         | before (3)         | nothing
//	yes              | no   | sealed      | between (3), (4)   | the work folder gets its name, the old one goes
//	yes              | no   | other       | (outside meddling) | the old folder gets its name back
//	yes              | yes  | any         | between (4), (5)   | the old folder goes
func (d *Dir) repair() error {
	if err := os.RemoveAll(d.trash); err != nil {
		return atomicfile.Wrap(d.trash, err)
	}
	if !exists(d.old) {
		return nil
	}
	if exists(d.path) {
		return d.dropOld()
	}
	if sealed(d.work) {
		if err := d.promote(); err != nil {
			return err
		}
		return d.dropOld()
	}
	if err := os.Rename(d.old, d.path); err != nil {
		return atomicfile.Wrap(d.path, err)
	}
	return d.syncParent()
}

// sealed reports whether a work folder is complete and synced: it has a manifest and no marker.
func sealed(work string) bool {
	made, err := hasManifest(work)
	return err == nil && made && !exists(filepath.Join(work, markerName))
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// syncTree syncs every file and folder below and at root.
func syncTree(root string) error {
	return filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case e.IsDir():
			return atomicfile.SyncFolder(path)
		case e.Type().IsRegular():
			return syncFile(path)
		}
		return nil
	})
}
