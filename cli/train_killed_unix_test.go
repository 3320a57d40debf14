//go:build unix

package cli

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"graft/onnx/noise"
)

// TestTrainKilled kills a run that evaluates, prunes, reduces its rate and keeps its best, again and again at random moments.
// In the end all of its state is that of a run that nobody killed.
func TestTrainKilled(t *testing.T) {
	const course = " --data data.npz --val 0.2 --steps 60 --batch 16 --lr 2e-2 --save-every 7 --eval-every 4 --schedule plateau --patience 0 --gamma 0.7" +
		" --prune-to 0.6 --prune-start 5 --prune-end 30 --prune-every 3 --best --seed 3"
	if dir := os.Getenv("GRAFT_TRAIN_KILLED"); dir != "" {
		args := append([]string{"graft"}, strings.Fields("train killed --resume --log killed.jsonl"+course)...)
		t.Chdir(dir)
		var out bytes.Buffer
		code := NewApp(strings.NewReader(""), &out, &out).Run(t.Context(), append(args, "--ort-lib", os.Getenv("GRAFT_TEST_LIBRARY"), "--threads", "1"))
		if code != 0 {
			t.Fatalf("exit %d\n%s", code, out.String())
		}
		return
	}
	f := newTrainee(t)
	f.artifacts("whole", "adam")
	f.artifacts("killed", "adam")
	f.must("train whole --log whole.jsonl" + course)
	chance := noise.NewKey(uint64(time.Now().UnixNano()), "kill", 0)
	const most = 6
	rounds := uint32(0)
	for ; f.killed(rounds < most, 1+int(noise.Float(chance, 2*rounds)*5), time.Duration(noise.Float(chance, 2*rounds+1)*1e7)); rounds++ {
	}
	t.Logf("killed %d times", rounds)
	for _, dir := range []string{"/checkpoint", "/checkpoint.best"} {
		a, b := f.state("whole"+dir), f.state("killed"+dir)
		for _, key := range slices.Sorted(maps.Keys(a)) {
			if a[key] != b[key] {
				t.Errorf("%s: %s differs", dir, key)
				if key == "record" {
					t.Logf("\n%s\n%s", a[key], b[key])
				}
			}
		}
	}
	if a, b := f.log("whole.jsonl"), f.log("killed.jsonl"); !slices.Equal(a, b) {
		t.Errorf("the log has %d lines, want %d", len(b), len(a))
	}
}

// killed runs the test's run in a process of its own, and kills it when it has saved some checkpoints and a moment has gone
// by. It reports whether the run did not end by itself.
func (f *trainee) killed(kill bool, saves int, pause time.Duration) bool {
	f.Helper()
	cmd := exec.CommandContext(f.Context(), os.Args[0], "-test.run=^TestTrainKilled$")
	cmd.Env = append(os.Environ(), "GRAFT_TRAIN_KILLED="+f.dir)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		f.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	last := time.Time{}
	for kill && saves >= 0 {
		select {
		case err := <-done:
			if err != nil {
				f.Fatalf("the run failed: %v\n%s", err, out.String())
			}
			return false
		case <-time.After(time.Millisecond):
		}
		if info, err := os.Stat(f.path("killed/checkpoint/state.json")); err == nil && !info.ModTime().Equal(last) {
			last = info.ModTime()
			saves--
		}
	}
	if kill {
		time.Sleep(pause)
		_ = cmd.Process.Kill()
	}
	err := <-done
	if err != nil && cmd.ProcessState.Exited() {
		f.Fatalf("the run failed: %v\n%s", err, out.String())
	}
	return err != nil
}

// log reads a log without the times.
func (f *trainee) log(name string) []string {
	f.Helper()
	data, err := os.ReadFile(f.path(name))
	if err != nil {
		f.Fatal(err)
	}
	var out []string
	for line := range strings.Lines(string(data)) {
		var l logLine
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			f.Fatal(err)
		}
		l.Seconds = 0
		text, _ := json.Marshal(l) // was read from JSON
		out = append(out, string(text))
	}
	return out
}
