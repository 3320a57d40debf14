package cli

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// --isolate runs the verb in a child process of the same binary, because
// ONNX Runtime runs inside the process and its memory bugs would be ours. The
// parent only parses the line, passes stdio and signals through, and turns the
// child's end into an exit code.
//
// The child answers with its code plus codeOffset, so that any other end is a
// crash: a signal, or the code that a C library or the Go runtime chose.

// isolatedEnv carries the parent's process id to the child.
const isolatedEnv = "GRAFT_ISOLATED"

const codeOffset = 64

// isIsolatedChild says whether this process is the child of an isolated run.
func isIsolatedChild() bool {
	return os.Getenv(isolatedEnv) == strconv.Itoa(os.Getppid())
}

func isolatedCode(code int) int { return code + codeOffset }

// childCode ends the parent silently with the child's exit code: the child has
// printed what there was to print.
type childCode int

func (c childCode) Error() string { return fmt.Sprintf("exit code %d", int(c)) }

// runIsolated runs args again in a confined child and waits for it.
func (a *App) runIsolated(ctx context.Context, path string, args []string, verbose bool) error {
	exe, err := os.Executable()
	if err != nil {
		return environment(fmt.Errorf("start the isolated run: %w", err), "")
	}
	end, err := a.startChild(ctx, exe, args, verbose)
	if err != nil {
		return environment(fmt.Errorf("start the isolated run: %w", err), "")
	}
	switch code := end.code - codeOffset; {
	case end.signal == "" && code == exitDone:
		return nil
	case end.signal == "" && (code == exitInterrupted || code > 0 && code <= exitRuntime):
		return childCode(code)
	case ctx.Err() != nil || end.stopped:
		return context.Canceled
	}
	how := fmt.Sprintf("exit code %d", end.code)
	if end.signal != "" {
		how = end.signal
	}
	if end.lastWords != "" {
		how += ": " + end.lastWords
	}
	return &Error{Verb: path, Reason: "the isolated run crashed (" + how + ")", Code: exitRuntime,
		Hint: "nothing half-written is left; --verbose shows what the runtime printed"}
}

// childEnd is how an isolated run ended.
type childEnd struct {
	code      int
	stopped   bool   // a signal was passed on to it
	signal    string // name of the signal that killed it
	lastWords string // first line of what the Go runtime or a C library printed
}

// telling picks the line of a crash report that says most.
func telling(report string) string {
	first := ""
	for l := range strings.Lines(report) {
		l = strings.TrimSpace(l)
		if first == "" {
			first = l
		}
		for _, mark := range []string{"fatal error:", "panic:", "SIG", "terminate called", "Assertion"} {
			if strings.Contains(l, mark) {
				return l
			}
		}
	}
	return first
}
