package cli

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

func TestLineProgress(t *testing.T) {
	var out bytes.Buffer
	now := time.Unix(0, 0)
	p := &lineProgress{console: &console{w: &out}, now: func() time.Time { return now }}
	p.Stage("learn mask", 100)
	for i := 1; i <= 50; i++ {
		now = now.Add(500 * time.Millisecond)
		p.Step(i, "loss 0.5")
	}
	p.Stage("train sparse\x1b", 0)
	p.Step(3, "")
	p.Done()
	p.Done()
	want := "learn mask: 20/100, loss 0.5, 10s, 40s left\n" +
		"learn mask: 40/100, loss 0.5, 20s, 30s left\n" +
		"learn mask: 50/100, loss 0.5, 25s, 25s left\n" +
		"train sparse\\x1b: 3, 0s\n"
	if out.String() != want {
		t.Errorf("printed\n%swant\n%s", out.String(), want)
	}
}

// TestBarProgress draws into a buffer: every stage leaves one line, and a
// message stands on a line of its own.
func TestBarProgress(t *testing.T) {
	t.Setenv("NO_COLOR", "")
	var out bytes.Buffer
	c := &console{w: &out}
	c.bar = &barProgress{console: c}
	c.progress = c.bar
	c.progress.Step(1, "before any stage")
	c.progress.Stage("learn mask", 4)
	for i := 1; i <= 4; i++ {
		c.progress.Step(i, "loss 0.25")
		time.Sleep(60 * time.Millisecond) // the bar draws ten times a second
	}
	c.say("a message")
	c.progress.Stage("train sparse", 0)
	c.progress.Step(9, "")
	c.close()
	c.close()
	for _, want := range []string{"learn mask  loss 0.25", "a message\n", "learn mask: 4/4, loss 0.25,", "train sparse: 9,"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in %q", want, out.String())
		}
	}
	if strings.Count(out.String(), "\n") != 3 {
		t.Errorf("want three lines: %q", out.String())
	}
}

func TestConsoleChoosesProgress(t *testing.T) {
	var out bytes.Buffer
	for _, c := range []struct {
		quiet, verbose bool
		want           Progress
	}{{false, false, silentProgress{}}, {true, true, silentProgress{}}, {true, false, silentProgress{}}} {
		if got := newConsole(&out, c.quiet, c.verbose).progress; got != c.want {
			t.Errorf("quiet %t verbose %t: %T", c.quiet, c.verbose, got)
		}
	}
	if _, ok := newConsole(&out, false, true).progress.(*lineProgress); !ok {
		t.Error("--verbose into a pipe wants lines")
	}
}
