//go:build unix

package cli

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strconv"
	"syscall"
)

// startChild runs the child and waits for it. The child leads a process group
// of its own, so that a Ctrl-C at the terminal reaches it once, through us.
func (a *App) startChild(ctx context.Context, exe string, args []string, verbose bool) (childEnd, error) {
	// The death signal is tied to the thread that starts the child.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()

	crash, crashW, err := os.Pipe()
	if err != nil {
		return childEnd{}, err
	}
	defer crash.Close()
	cmd := exec.Command(exe)
	cmd.Args = append([]string{}, args...)
	cmd.Env = append(os.Environ(), isolatedEnv+"="+strconv.Itoa(os.Getpid()))
	cmd.Stdin, cmd.Stdout, cmd.Stderr = a.Stdin, a.Stdout, a.Stderr
	if !verbose {
		cmd.ExtraFiles = []*os.File{crashW}
		cmd.Env = append(cmd.Env, crashEnv+"=3")
	}
	cmd.SysProcAttr = childAttr()

	signals := make(chan os.Signal, 8)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	if err := cmd.Start(); err != nil {
		crashW.Close()
		return childEnd{}, err
	}
	crashW.Close()
	report := make(chan string, 1)
	go func() { report <- readReport(crash) }()
	done, passed := make(chan struct{}), make(chan int, 1)
	go func() {
		n := 0
		defer func() { passed <- n }()
		for cancelled := ctx.Done(); ; {
			select {
			case <-done:
				return
			case s := <-signals:
				if n++; n > 2 {
					s = syscall.SIGKILL
				}
				_ = cmd.Process.Signal(s)
			case <-cancelled:
				cancelled = nil
				_ = cmd.Process.Signal(syscall.SIGTERM)
			}
		}
	}()
	err = cmd.Wait()
	close(done)

	end := childEnd{lastWords: telling(<-report), stopped: <-passed > 0}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return childEnd{}, err
	}
	status, _ := cmd.ProcessState.Sys().(syscall.WaitStatus)
	if status.Signaled() {
		end.signal = status.Signal().String()
	} else {
		end.code = cmd.ProcessState.ExitCode()
	}
	return end, nil
}

// readReport keeps the beginning of the child's crash report and drains the rest.
func readReport(r io.Reader) string {
	const longest = 64 << 10
	var b bytes.Buffer
	_, _ = io.CopyN(&b, r, longest)
	_, _ = io.Copy(io.Discard, r)
	return b.String()
}

// crashEnv names the descriptor that takes the place of stderr for everything
// but graft's own messages.
const crashEnv = "GRAFT_CRASH_FD"

// confine sets the child's resource limits and moves what the Go runtime or a
// C library prints when it dies to the parent's pipe. It returns the stderr
// that graft's own messages go to, nil for the given one.
func confine() io.Writer {
	limitChild()
	fd, err := strconv.Atoi(os.Getenv(crashEnv))
	if err != nil || fd < 3 {
		return nil
	}
	own, err := syscall.Dup(2)
	if err != nil {
		return nil
	}
	syscall.CloseOnExec(own)
	if err := redirect(fd, 2); err != nil {
		syscall.Close(own)
		return nil
	}
	syscall.Close(fd)
	return os.NewFile(uintptr(own), "stderr")
}
