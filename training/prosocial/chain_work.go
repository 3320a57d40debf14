package prosocial

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"

	"graft/onnx/atomicfile"
)

var notInNames = regexp.MustCompile(`[^a-z0-9]+`)

// place is where a phase keeps what it has.
func (c *ChainConfig) place(phase string) string {
	return filepath.Join(c.Work, notInNames.ReplaceAllString(phase, "-"))
}

// Checkpoint is where a phase keeps its state; nil: nowhere.
func (c *ChainConfig) Checkpoint(phase string) *Checkpoint {
	if c.Work == "" {
		return nil
	}
	return &Checkpoint{Folder: c.place(phase), Every: cmp.Or(c.SaveEvery, 200), Of: fmt.Sprintf("%s, seed %d", phase, c.Seed)}
}

// remember keeps what a way to tune has come to, in the place of its state. That of debiased-tuning stays: the posterior's widths are
// learned around it.
func (c *ChainConfig) remember(phase string, t *Tuned) error {
	if c.Work == "" || phase == string(DebiasedTuning) {
		return nil
	}
	data, err := json.Marshal(t)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(c.Work, 0o755); err != nil {
		return err
	}
	if err := atomicfile.Write(c.place(phase)+".json", 0o666, func(w io.Writer) error { _, err := w.Write(data); return err }); err != nil {
		return err
	}
	return os.RemoveAll(c.place(phase))
}

// recall reads what remember has kept.
func (c *ChainConfig) recall(phase string, t *Tuned) bool {
	if c.Work == "" {
		return false
	}
	data, err := os.ReadFile(c.place(phase) + ".json")
	return err == nil && json.Unmarshal(data, t) == nil
}
