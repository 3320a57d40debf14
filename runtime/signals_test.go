//go:build cgo && !windows

package runtime_test

import (
	"context"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	goruntime "runtime"
	"syscall"
	"testing"
	"time"

	"graft/onnx"
	"graft/runtime"
	"graft/runtime/runtimetest"
)

// handlers is a library of custom operators that takes the signals over when it is loaded, as libraries of devices do: with
// handlers that do not ask for a stack of their own.
const handlers = `
#include <signal.h>
#include <stddef.h>
#include <string.h>
static void swallow(int n) { (void)n; }
__attribute__((constructor)) static void take(void) {
	struct sigaction a;
	memset(&a, 0, sizeof a);
	a.sa_handler = swallow;
	int list[] = {SIGINT, SIGTERM, SIGSEGV, SIGFPE, SIGUSR1, SIGRTMIN + 3};
	for (size_t i = 0; i < sizeof list / sizeof *list; i++) sigaction(list[i], &a, NULL);
}
void *RegisterCustomOps(void *options, const void *api) { (void)options, (void)api; return NULL; }
`

// TestSignalsSurvive opens and runs a session with a library that takes the signals over: Ctrl-C is Go's afterwards, a fault
// in Go is still an error that can be caught, and a signal whose handler is the library's does not end the process.
func TestSignalsSurvive(t *testing.T) {
	cc, err := exec.LookPath("gcc")
	if err != nil || goruntime.GOOS != "linux" {
		t.Skip("needs gcc on Linux")
	}
	dir := t.TempDir()
	source, library := filepath.Join(dir, "handlers.c"), filepath.Join(dir, "libhandlers.so")
	if err := os.WriteFile(source, []byte(handlers), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(cc, "-shared", "-fPIC", "-o", library, source).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	o := runtimetest.Options(t)
	o.CustomOps = []string{library}
	arrived := make(chan os.Signal, 4)
	signal.Notify(arrived, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(arrived)
	s, err := runtime.Open(addOne(1), o)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Run(context.Background(), feeds{"x": onnx.NewTensor(onnx.Float, 1)}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		if err := syscall.Kill(os.Getpid(), want); err != nil {
			t.Fatal(err)
		}
		select {
		case got := <-arrived:
			if got != want {
				t.Errorf("%v arrived, not %v", got, want)
			}
		case <-time.After(5 * time.Second):
			t.Fatalf("%v did not arrive", want)
		}
	}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("no panic")
			}
		}()
		var none *struct{ field [100]int }
		_ = none.field[len(os.Args)]
	}()
	if err := syscall.Kill(os.Getpid(), syscall.Signal(34+3)); err != nil { // SIGRTMIN + 3
		t.Fatal(err)
	}
	time.Sleep(50 * time.Millisecond)
}
