package cli

import (
	"fmt"
	"io"
	"os"
	"sync"

	"golang.org/x/term"
)

// console is the run's stderr: messages and the progress bar take turns on it.
type console struct {
	mu       sync.Mutex
	w        io.Writer
	quiet    bool
	progress Progress
	bar      *barProgress // progress when it is a bar, else nil
}

func newConsole(w io.Writer, quiet, verbose bool) *console {
	c := &console{w: w, quiet: quiet}
	switch {
	case quiet:
		c.progress = silentProgress{}
	case terminal(w):
		c.bar = &barProgress{console: c}
		c.progress = c.bar
	case verbose:
		c.progress = &lineProgress{console: c}
	default:
		c.progress = silentProgress{}
	}
	return c
}

// say prints one line, above the bar where there is one.
func (c *console) say(format string, a ...any) {
	if c.quiet {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.bar != nil {
		c.bar.clear()
		defer c.bar.redraw()
	}
	fmt.Fprintf(c.w, format+"\n", cleanOperands(a)...)
}

// close ends the progress display.
func (c *console) close() { c.progress.Done() }

// terminal says whether w is a terminal that can move its cursor.
func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && os.Getenv("TERM") != "dumb" && term.IsTerminal(int(f.Fd()))
}

// colours says whether colours are wanted: NO_COLOR, when set to anything but
// nothing, says no.
func colours() bool { return os.Getenv("NO_COLOR") == "" }
