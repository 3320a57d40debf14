package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"graft/cli/outdir"
)

// settingsFile records what a work folder was begun with.
const settingsFile = "settings.json"

// sameSettings writes down what a run in a work folder was begun with, or compares when it goes on.
func sameSettings(dir *outdir.Dir, now map[string]string) error {
	data, err := os.ReadFile(dir.File(settingsFile))
	if errors.Is(err, fs.ErrNotExist) {
		if data, err = json.Marshal(now); err != nil {
			return err
		}
		return dir.WriteFile(settingsFile, data)
	}
	if err != nil {
		return err
	}
	var then map[string]string
	if err := json.Unmarshal(data, &then); err != nil {
		return refused(dir.File(settingsFile), errors.New("is not what graft wrote: start again without --resume"))
	}
	var differ []string
	for _, of := range []map[string]string{now, then} {
		for name := range of {
			if now[name] != then[name] && !slices.Contains(differ, name) {
				differ = append(differ, name)
			}
		}
	}
	if slices.Sort(differ); differ != nil {
		return refused(dir.Path(), fmt.Errorf("the run to resume was begun with another %s: start again without --resume", strings.Join(differ, ", ")))
	}
	return nil
}

// leaveWork ends a run that failed with err. Its work folder stays when --resume can go on from it.
func leaveWork(dir *outdir.Dir, err error) error {
	left := dir.Abort
	if saved, globErr := filepath.Glob(dir.File("checkpoint-*/state.json")); globErr != nil || len(saved) > 0 {
		left = dir.Suspend
	}
	return errors.Join(err, left())
}

// dropWork takes out of a work folder what only a resumed run needs.
func dropWork(dir *outdir.Dir, names ...string) error {
	work, err := filepath.Glob(dir.File("checkpoint-*"))
	if err != nil {
		return err
	}
	for _, name := range append(names, settingsFile) {
		work = append(work, dir.File(name))
	}
	for _, path := range work {
		if err := os.RemoveAll(path); err != nil {
			return err
		}
	}
	return nil
}
