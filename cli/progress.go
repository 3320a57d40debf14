package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
)

// Progress shows how far a run is. A run is a sequence of stages ("learn
// mask", "train sparse"), each with a number of steps. Its methods may be
// called from any goroutine and return at once.
type Progress interface {
	// Stage ends the stage before and begins one of total steps; 0 or less is unknown.
	Stage(name string, total int)
	// Step says that done steps of the stage are finished; postfix is a short
	// reading such as "loss 0.0123, PSNR 27.1 dB".
	Step(done int, postfix string)
	// Done ends the last stage; more calls do nothing.
	Done()
}

// silentProgress shows nothing.
type silentProgress struct{}

func (silentProgress) Stage(string, int) {}
func (silentProgress) Step(int, string)  {}
func (silentProgress) Done()             {}

// barProgress draws one bar on a terminal, with the time left.
type barProgress struct {
	console     *console
	bar         *progressbar.ProgressBar
	name        string
	total, done int
	postfix     string
	started     time.Time
}

func (b *barProgress) Stage(name string, total int) {
	b.console.mu.Lock()
	defer b.console.mu.Unlock()
	b.end()
	if total <= 0 {
		total = -1
	}
	b.name, b.total, b.done, b.postfix, b.started = clean(name), total, 0, "", time.Now()
	theme := progressbar.Theme{Saucer: "=", SaucerHead: ">", SaucerPadding: " ", BarStart: "[", BarEnd: "]"}
	b.bar = progressbar.NewOptions(total,
		progressbar.OptionSetWriter(b.console.w),
		progressbar.OptionSetDescription(b.name),
		progressbar.OptionSetTheme(theme),
		progressbar.OptionEnableColorCodes(false),
		progressbar.OptionUseANSICodes(colours()),
		progressbar.OptionSetWidth(24),
		progressbar.OptionShowCount(),
		progressbar.OptionSetPredictTime(true),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionClearOnFinish(),
	)
	_ = b.bar.RenderBlank()
}

func (b *barProgress) Step(done int, postfix string) {
	b.console.mu.Lock()
	defer b.console.mu.Unlock()
	if b.bar == nil {
		return
	}
	b.done, b.postfix = done, clean(postfix)
	if b.total > 0 {
		// The last step belongs to end: reaching the total would erase the bar.
		done = min(done, b.total-1)
	}
	b.bar.Describe(strings.TrimSpace(b.name + "  " + b.postfix))
	_ = b.bar.Set(done)
}

func (b *barProgress) Done() {
	b.console.mu.Lock()
	defer b.console.mu.Unlock()
	b.end()
}

// end takes the bar away and leaves one line about the stage.
func (b *barProgress) end() {
	if b.bar == nil {
		return
	}
	_ = b.bar.Clear()
	b.bar = nil
	fmt.Fprintln(b.console.w, stageLine(b.name, b.done, b.total, b.postfix, time.Since(b.started)))
}

func (b *barProgress) clear() {
	if b.bar != nil {
		_ = b.bar.Clear()
	}
}

func (b *barProgress) redraw() {
	if b.bar != nil {
		_ = b.bar.RenderBlank()
	}
}

// lineProgress prints plain lines, at most one in ten seconds and one at the
// end of each stage.
type lineProgress struct {
	console       *console
	name          string
	total, done   int
	postfix       string
	started, last time.Time
	now           func() time.Time // nil: time.Now
}

const lineInterval = 10 * time.Second

func (l *lineProgress) Stage(name string, total int) {
	l.console.mu.Lock()
	defer l.console.mu.Unlock()
	l.end()
	l.name, l.total, l.done, l.postfix = clean(name), total, 0, ""
	l.started = l.clock()
	l.last = l.started
}

func (l *lineProgress) Step(done int, postfix string) {
	l.console.mu.Lock()
	defer l.console.mu.Unlock()
	l.done, l.postfix = done, clean(postfix)
	if now := l.clock(); l.name != "" && now.Sub(l.last) >= lineInterval {
		l.last = now
		fmt.Fprintln(l.console.w, stageLine(l.name, l.done, l.total, l.postfix, now.Sub(l.started)))
	}
}

func (l *lineProgress) Done() {
	l.console.mu.Lock()
	defer l.console.mu.Unlock()
	l.end()
}

func (l *lineProgress) end() {
	if l.name != "" {
		fmt.Fprintln(l.console.w, stageLine(l.name, l.done, l.total, l.postfix, l.clock().Sub(l.started)))
		l.name = ""
	}
}

func (l *lineProgress) clock() time.Time {
	if l.now != nil {
		return l.now()
	}
	return time.Now()
}

// stageLine is "train sparse: 200/500, loss 0.012, 14s, 21s left".
func stageLine(name string, done, total int, postfix string, spent time.Duration) string {
	parts := []string{fmt.Sprint(done)}
	if total > 0 {
		parts[0] += fmt.Sprintf("/%d", total)
	}
	if postfix != "" {
		parts = append(parts, postfix)
	}
	parts = append(parts, spent.Round(time.Second/10).String())
	if done > 0 && done < total {
		left := time.Duration(float64(spent) / float64(done) * float64(total-done))
		parts = append(parts, left.Round(time.Second).String()+" left")
	}
	return name + ": " + strings.Join(parts, ", ")
}
