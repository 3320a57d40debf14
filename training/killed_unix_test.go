//go:build unix

package training_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"graft/onnx/noise"
	"graft/training"
)

const killedSteps = 40

// TestKilledRunResumes kills a training process, which saves after every step, again and again at random moments. In the
// end its parameters are those of a run that nobody killed.
func TestKilledRunResumes(t *testing.T) {
	if dir := os.Getenv("GRAFT_TRAIN_UNTIL_KILLED"); dir != "" {
		trainUntilKilled(t, dir)
		return
	}
	f := newTiny(t, false)
	whole, err := f.loop(t, 1e-2, nil).Run(t.Context(), f.step.NewSnapshot(f.start, nil), killedSteps, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "checkpoint")
	chance := noise.NewKey(uint64(time.Now().UnixNano()), "kill", 0)
	for round := uint32(0); ; round++ {
		lines := 1 + int(noise.Float(chance, 2*round)*16)
		pause := time.Duration(noise.Float(chance, 2*round+1) * 8e6)
		if trainAndKill(t, dir, lines, pause) {
			t.Logf("killed %d times", round)
			break
		}
		if _, err := f.step.LoadCheckpoint(dir, nil, nil); err != nil && !errors.Is(err, training.ErrNoCheckpoint) {
			t.Fatalf("killed after %d saves and %v: %v", lines, pause, err)
		}
		if round > 2*killedSteps {
			t.Fatal("the run does not get on")
		}
	}
	got, err := f.step.LoadCheckpoint(dir, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !same(whole, got) {
		t.Error("the killed run ends with other parameters")
	}
}

// trainAndKill reports whether the run ended by itself.
func trainAndKill(t *testing.T, dir string, lines int, pause time.Duration) bool {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKilledRunResumes$", "-test.v")
	cmd.Env = append(os.Environ(), "GRAFT_TRAIN_UNTIL_KILLED="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	all := ""
	for r := bufio.NewScanner(out); r.Scan(); {
		all += r.Text() + "\n"
		if r.Text() != "saved" {
			continue
		}
		if lines--; lines == 0 {
			time.Sleep(pause)
			if err := cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
				t.Fatal(err)
			}
		}
	}
	err = cmd.Wait()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.Exited()) {
		t.Fatalf("the run failed: %v\n%s", err, all)
	}
	return err == nil
}

func trainUntilKilled(t *testing.T, dir string) {
	f := newTiny(t, false)
	snap, err := f.step.LoadCheckpoint(dir, nil, nil)
	if errors.Is(err, training.ErrNoCheckpoint) {
		snap, err = f.step.NewSnapshot(f.start, nil), nil
	}
	if err != nil {
		t.Fatal(err)
	}
	save := func(s *training.Snapshot) error {
		fmt.Println("saved") // about to be: the kill comes during the save, or after it
		return f.step.SaveCheckpoint(dir, s, nil)
	}
	end, err := f.loop(t, 1e-2, nil).Run(t.Context(), snap, killedSteps, 1, save)
	if err == nil {
		err = f.step.SaveCheckpoint(dir, end, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
}
