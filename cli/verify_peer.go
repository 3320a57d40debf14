package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	goruntime "runtime"
	"strconv"
	"strings"
	"time"

	"graft/cli/peer"
	"graft/onnx"
	"graft/runtime"
)

// onnxGoVerb is what graft calls itself with: a panic in onnx-go, which computes in goroutines of its own, ends the process
// that it runs in.
var onnxGoVerb = verb{
	name: "onnx-go-peer", args: "DIR", hidden: true, short: "run a job of graft verify in onnx-go",
	examples: []string{"graft onnx-go-peer DIR"},
	run: func(c *call) error {
		if err := peer.RunOnnxGo(c.Arg(0)); err != nil {
			return failed(err, "")
		}
		return nil
	},
}

// grade says what an error means for a runtime.
func (in *verifiedIn) grade(err error) {
	if err == nil {
		return
	}
	var absent *peer.AbsentError
	var unsupported *peer.UnsupportedError
	var missing *runtime.MissingError
	in.results, in.Reason = nil, oneLine(err.Error())
	switch {
	case errors.As(err, &absent), errors.As(err, &missing), codeOf(err) == exitEnvironment:
		in.Verdict = verdictAbsent
	case errors.As(err, &unsupported):
		in.Verdict = verdictUnsupported
	default:
		in.Verdict = verdictFailed
	}
}

// runForeign runs the model in another runtime, in a process of its own.
func (c *call) runForeign(name string, s side, feeds map[string]*onnx.Tensor) (map[string]*onnx.Tensor, string, error) {
	if name == "onnx-go" {
		if lacking := peer.LackingInOnnxGo(s.model); lacking != "" {
			return nil, peer.OnnxGoVersion, &peer.UnsupportedError{What: lacking}
		}
	}
	commands, err := c.peerCommands(name)
	if err != nil {
		return nil, "", err
	}
	dir, err := os.MkdirTemp("", "graft-verify-")
	if err != nil {
		return nil, "", err
	}
	defer os.RemoveAll(dir)
	data, err := encodeModel(s.model, s.path)
	if err != nil {
		return nil, "", err
	}
	var outputs []string
	for _, v := range s.model.Graph.Outputs() {
		outputs = append(outputs, v.Name)
	}
	var first error
	for i, command := range commands {
		folder := filepath.Join(dir, strconv.Itoa(i))
		if err := os.Mkdir(folder, 0o700); err != nil {
			return nil, "", err
		}
		job, err := peer.NewJob(folder, data, feeds, feedNames(s.model.Graph), outputs)
		if err != nil {
			return nil, "", err
		}
		results, version, err := c.runJob(job, command)
		var absent *peer.AbsentError
		if !errors.As(err, &absent) {
			return results, version, err
		}
		if first == nil {
			first = err
		}
	}
	return nil, "", first
}

// peerCommand is a program with the words before the job's folder, a script among them that is put into the folder, and
// those behind it.
type peerCommand struct {
	program, script string
	source          []byte
	before, after   []string
	own             bool // graft itself, with the limits of an isolated run
}

// peerCommands are the ways to start a runtime, in the order in which they are tried.
func (c *call) peerCommands(name string) ([]peerCommand, error) {
	how := inGraft
	for _, r := range otherRuntimes {
		if r.name == name {
			how = r.how
		}
	}
	switch how {
	case inGraft:
		exe, err := os.Executable()
		if err != nil {
			return nil, environment(err, "")
		}
		return []peerCommand{{program: exe, before: []string{onnxGoVerb.name}, own: true}}, nil
	case inNode:
		node := c.Text("node")
		if node == "" {
			node = "node"
		}
		program, err := exec.LookPath(node)
		if err != nil {
			return nil, &peer.AbsentError{What: node + " is not installed"}
		}
		var after []string
		for _, folder := range c.List("node-modules") {
			abs, err := filepath.Abs(folder)
			if err != nil {
				return nil, err
			}
			after = append(after, abs)
		}
		return []peerCommand{{program: program, script: "peer.cjs", source: peer.Node, before: []string{name}, after: after}}, nil
	}
	named := c.List("python")
	if len(named) == 0 {
		named = []string{"python3", "python"}
	}
	var commands []peerCommand
	for _, python := range named {
		if program, err := exec.LookPath(python); err == nil {
			commands = append(commands, peerCommand{program: program, script: "peer.py", source: peer.Python, before: []string{name}})
		}
	}
	if len(commands) == 0 {
		return nil, &peer.AbsentError{What: strings.Join(named, ", ") + ": not installed"}
	}
	return commands, nil
}

// runJob starts a runtime on a job and reads its result.
func (c *call) runJob(job *peer.Job, p peerCommand) (map[string]*onnx.Tensor, string, error) {
	// The death signal of a child is tied to the thread that starts it.
	goruntime.LockOSThread()
	defer goruntime.UnlockOSThread()
	limit := time.Duration(c.Int("timeout")) * time.Second
	ctx, stop := context.WithTimeout(c.Context(), limit)
	defer stop()
	var words []string
	if p.script != "" {
		script := filepath.Join(job.Dir, p.script)
		if err := os.WriteFile(script, p.source, 0o600); err != nil {
			return nil, "", err
		}
		words = append(words, script)
	}
	words = append(append(append(words, p.before...), job.Dir), p.after...)
	cmd := exec.CommandContext(ctx, p.program, words...)
	cmd.SysProcAttr = childAttr()
	cmd.WaitDelay = 5 * time.Second
	stderr := &capped{limit: longestMessages}
	cmd.Stdout, cmd.Stderr = io.Discard, stderr
	if p.own {
		cmd.Args[0] = c.app.program
		cmd.Env = append(os.Environ(), isolatedEnv+"="+strconv.Itoa(os.Getpid()))
	}
	err := cmd.Run()
	switch {
	case c.Context().Err() != nil:
		return nil, "", c.Context().Err()
	case ctx.Err() != nil:
		return nil, "", fmt.Errorf("has not ended after %v: --timeout gives it longer", limit)
	case cmd.ProcessState == nil:
		return nil, "", err
	}
	c.Detail("%s: %s", p.program, strings.TrimSpace(stderr.String()))
	results, version, rerr := job.Result()
	if errors.Is(rerr, peer.ErrNoResult) {
		how := cmd.ProcessState.String()
		if words := telling(stderr.String()); words != "" {
			how += ": " + strings.ToValidUTF8(words, "")
		}
		if p.own {
			version = peer.OnnxGoVersion
		}
		return nil, version, errors.New("crashed (" + how + ")")
	}
	return results, version, rerr
}
