package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	goruntime "runtime"
	"strings"
	"syscall"
	"time"

	"graft/cli/pipeline"
)

// A step runs in a process of its own, of the same program: a crash of ONNX Runtime in one step leaves the others alone,
// memory is given back, steps that run at a time share no state, and exit code, document and signals mean what they mean on
// the command line.

const (
	longestDocument = 64 << 20
	longestMessages = 64 << 10
	// graceful is how long a step that was told to stop may go on saving.
	graceful = 30 * time.Second
)

// runStep runs the command of a step in the pipeline's folder.
func (c *call) runStep(ctx context.Context, r *pipeline.Run) pipeline.Result {
	exe, err := os.Executable()
	if err != nil {
		return pipeline.Result{Err: err}
	}
	words, err := c.stepWords(r)
	if err != nil {
		return pipeline.Result{Err: err}
	}
	// The death signal of a child is tied to the thread that starts it.
	goruntime.LockOSThread()
	defer goruntime.UnlockOSThread()
	stdout, stderr := &capped{limit: longestDocument}, &capped{limit: longestMessages}
	cmd := exec.CommandContext(ctx, exe)
	cmd.Args = append([]string{c.app.program}, words...)
	cmd.Dir = filepath.Dir(c.Arg(0))
	cmd.Stdout, cmd.Stderr = stdout, stderr
	cmd.SysProcAttr = childAttr()
	cmd.Cancel = func() error {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			return cmd.Process.Kill()
		}
		return nil
	}
	cmd.WaitDelay = graceful
	err = cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		if ctx.Err() == nil || cmd.ProcessState == nil {
			return pipeline.Result{Err: err}
		}
	}
	res := pipeline.Result{Exit: cmd.ProcessState.ExitCode()}
	if res.Exit < 0 {
		res.Exit, res.Reason = exitRuntime, "the step crashed: "+cmd.ProcessState.String()
	}
	if doc := bytes.TrimSpace(stdout.Bytes()); json.Valid(doc) && !stdout.over {
		res.Document = bytes.Clone(doc)
	}
	if res.Exit != 0 && res.Reason == "" {
		res.Reason = reasonOf(res.Document, stderr.String())
	}
	return res
}

// stepWords is the step's command with what the pipeline sets.
func (c *call) stepWords(r *pipeline.Run) ([]string, error) {
	words := r.Command()
	n := len(strings.Fields(r.Step.Verb))
	set := []string{"--json"}
	for _, name := range forSteps {
		has := false
		for _, f := range r.Step.Flags {
			has = has || f.Name == name
		}
		if has || !c.IsSet(name) {
			continue
		}
		value := fmt.Sprint(c.parsed.Value(name))
		if name == "ort-lib" {
			abs, err := filepath.Abs(value)
			if err != nil {
				return nil, err
			}
			value = abs
		}
		set = append(set, "--"+name+"="+value)
	}
	return append(append(append([]string{}, words[:n]...), set...), words[n:]...), nil
}

// reasonOf is what went wrong in a step, in a line: the error document's, or the first line that it said.
func reasonOf(document json.RawMessage, messages string) string {
	var doc struct {
		Error struct {
			File, Reason string
		}
	}
	if json.Unmarshal(document, &doc) == nil && doc.Error.Reason != "" {
		if doc.Error.File != "" && !strings.Contains(doc.Error.Reason, doc.Error.File) {
			return doc.Error.File + ": " + doc.Error.Reason
		}
		return doc.Error.Reason
	}
	for line := range strings.Lines(messages) {
		if line = strings.TrimSpace(line); line != "" {
			return strings.ToValidUTF8(line, "")
		}
	}
	return ""
}

// capped keeps the beginning of what is written to it.
type capped struct {
	bytes.Buffer
	limit int
	over  bool
}

func (c *capped) Write(p []byte) (int, error) {
	if room := c.limit - c.Len(); len(p) > room {
		c.over = true
		c.Buffer.Write(p[:room])
		return len(p), nil
	}
	return c.Buffer.Write(p)
}
