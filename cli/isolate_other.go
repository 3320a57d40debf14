//go:build !unix

package cli

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"strconv"
	"syscall"
)

// startChild runs the child and waits for it. There are no resource limits
// here; the process boundary alone keeps a crash from the parent.
func (a *App) startChild(ctx context.Context, exe string, args []string, _ bool) (childEnd, error) {
	cmd := exec.CommandContext(ctx, exe)
	cmd.Args = append([]string{}, args...)
	cmd.Env = append(os.Environ(), isolatedEnv+"="+strconv.Itoa(os.Getpid()))
	cmd.Stdin, cmd.Stdout, cmd.Stderr = a.Stdin, a.Stdout, a.Stderr
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		return childEnd{}, err
	}
	return childEnd{code: cmd.ProcessState.ExitCode()}, nil
}

func confine() io.Writer { return nil }

func childAttr() *syscall.SysProcAttr { return nil }
