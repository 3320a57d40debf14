package cli

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// watchSignals returns a context that the first Ctrl-C or SIGTERM cancels; the
// second ends the process at once.
func watchSignals(parent context.Context, say *console) (context.Context, func()) {
	ctx, cancel := context.WithCancel(parent)
	signals := make(chan os.Signal, 4)
	done := make(chan struct{})
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		for n := 1; ; n++ {
			select {
			case <-done:
				return
			case <-signals:
			}
			if n == 1 {
				say.say("stopping; what was saved is valid")
				cancel()
				continue
			}
			code := exitInterrupted
			if isIsolatedChild() {
				code = isolatedCode(code)
			}
			os.Exit(code)
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(done)
		cancel()
	}
}
