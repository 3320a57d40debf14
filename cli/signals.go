package cli

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// sameSignal is how soon a second signal still counts as the first: some
// programs that end others send theirs to the process and to its group.
const sameSignal = 200 * time.Millisecond

// watchSignals returns a context that the first Ctrl-C or SIGTERM cancels; the
// second ends the process at once.
func watchSignals(parent context.Context, say *console) (context.Context, func()) {
	ctx, cancel := context.WithCancel(parent)
	signals := make(chan os.Signal, 4)
	done := make(chan struct{})
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		var first time.Time
		for {
			select {
			case <-done:
				return
			case <-signals:
			}
			if first.IsZero() {
				first = time.Now()
				say.say("stopping; what was saved is valid")
				cancel()
				continue
			}
			if time.Since(first) < sameSignal {
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
