package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/urfave/cli/v2"
)

// call is one run of a verb: its arguments, its flags and its ways out.
type call struct {
	Args   []string // as many as the verb's signature says
	Common common

	app     *App
	path    string
	verb    *verb
	parsed  *cli.Context
	ctx     context.Context
	out     io.Writer
	console *console
	placed  placements
	doc     any
}

// Context ends at the first Ctrl-C or SIGTERM. A verb that stops for it
// returns its error (exit code 130).
func (c *call) Context() context.Context { return c.ctx }

// Arg returns argument i, or "" where an optional one was left out.
func (c *call) Arg(i int) string {
	if i < len(c.Args) {
		return c.Args[i]
	}
	return ""
}

// Out is the value of --out, "" when not given.
func (c *call) Out() string { return c.Common.Out }

// OutFile returns --out for a verb that writes one file there: it must be
// given, and free, or a regular file under --force. A verb calls it before any
// work, so that a refusal costs nothing.
func (c *call) OutFile() (string, error) {
	if c.Common.Out == "" {
		return "", misuse("flag --out is missing")
	}
	return c.Common.Out, mayWrite(c.Common.Out, c.Common.Force)
}

// Stdin is what graft reads for "-".
func (c *call) Stdin() io.Reader { return c.app.Stdin }

// IsSet says whether the flag was on the command line.
func (c *call) IsSet(flag string) bool { return c.parsed.IsSet(flag) }

// Float returns the value of a number or fraction flag.
func (c *call) Float(flag string) float64 { return parsed[float64](c.parsed, flag) }

// Int returns the value of an integer flag.
func (c *call) Int(flag string) int { return int(parsed[int64](c.parsed, flag)) }

// Text returns the value of a text or choice flag.
func (c *call) Text(flag string) string { return parsed[string](c.parsed, flag) }

// List returns the values of a list or repeated flag, in order.
func (c *call) List(flag string) []string { return parsed[[]string](c.parsed, flag) }

// Bool returns the value of a toggle.
func (c *call) Bool(flag string) bool { return parsed[bool](c.parsed, flag) }

// JSON gives the document that --json prints. It is printed once, when the
// verb has returned nil or a no; a verb may set it again.
func (c *call) JSON(doc any) { c.doc = doc }

// Print writes a line of human output to stdout; nothing under --json.
// Strings among the operands are cleaned of control characters.
func (c *call) Print(format string, a ...any) {
	if !c.Common.JSON {
		fmt.Fprintf(c.out, format+"\n", cleanOperands(a)...)
	}
}

// Table writes a table to stdout; nothing under --json.
func (c *call) Table(t table) {
	if !c.Common.JSON {
		t.render(c.out)
	}
}

// Say writes a message to stderr; nothing under --quiet.
func (c *call) Say(format string, a ...any) { c.console.say(format, a...) }

// Detail is a message under --verbose only.
func (c *call) Detail(format string, a ...any) {
	if c.Common.Verbose {
		c.console.say(format, a...)
	}
}

// Progress returns the run's progress display; always the same one.
func (c *call) Progress() Progress { return c.console.progress }

// cleanOperands makes every operand that prints as text safe for a terminal.
func cleanOperands(a []any) []any {
	out := make([]any, len(a))
	for i, v := range a {
		switch v := v.(type) {
		case string:
			out[i] = clean(v)
		case error:
			out[i] = clean(oneLine(v.Error()))
		case fmt.Stringer:
			out[i] = clean(v.String())
		default:
			out[i] = v
		}
	}
	return out
}
