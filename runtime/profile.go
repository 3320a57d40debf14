package runtime

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"
)

// NodeTime is what a node took in all runs of a session together. The node is one of the graph that ONNX Runtime has made:
// a fused one has a name of its own.
type NodeTime struct {
	Name     string
	Op       string
	Provider string // full name
	Runs     int
	Time     time.Duration
}

// mostProfile bounds the file that a session writes.
const mostProfile = 1 << 30

// ReadProfile reads the file that a session with Options.Profile has written when it was closed. Nodes come in the order in
// which they first ran.
func ReadProfile(path string) ([]NodeTime, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read profile: %w", err)
	}
	if info.Size() > mostProfile {
		return nil, fmt.Errorf("%w: the profile has %d bytes, at most %d are read: run the model less often", ErrRuntime, info.Size(), mostProfile)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read profile: %w", err)
	}
	defer f.Close()
	d := json.NewDecoder(f)
	if _, err := d.Token(); err != nil {
		return nil, fmt.Errorf("%w: read profile: %w", ErrRuntime, err)
	}
	var list []NodeTime
	place := map[[2]string]int{}
	for d.More() {
		var e struct {
			Category string `json:"cat"`
			Name     string `json:"name"`
			Micros   int64  `json:"dur"`
			Args     struct {
				Op       string `json:"op_name"`
				Provider string `json:"provider"`
			} `json:"args"`
		}
		if err := d.Decode(&e); err != nil {
			return nil, fmt.Errorf("%w: read profile: %w", ErrRuntime, err)
		}
		name, kernel := strings.CutSuffix(e.Name, "_kernel_time")
		if e.Category != "Node" || !kernel {
			continue
		}
		key := [2]string{name, e.Args.Op}
		at, ok := place[key]
		if !ok {
			at = len(list)
			place[key] = at
			list = append(list, NodeTime{Name: name, Op: e.Args.Op, Provider: e.Args.Provider})
		}
		list[at].Runs++
		list[at].Time += time.Duration(e.Micros) * time.Microsecond
	}
	return list, nil
}
