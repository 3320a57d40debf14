package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"

	"github.com/urfave/cli/v2"

	"graft/onnx"
)

// App is graft with its surroundings; make one with NewApp.
type App struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer

	verbs   []verb
	program string // what graft calls itself by when it starts itself: its first word
	signals bool   // watch Ctrl-C and SIGTERM while a verb runs
}

// Main runs one command line, args[0] being the program, and returns the exit code.
func Main(args []string) int {
	a := NewApp(os.Stdin, os.Stdout, os.Stderr)
	a.signals = true
	return a.main(args)
}

// NewApp returns graft with every verb and the given stdio.
func NewApp(stdin io.Reader, stdout, stderr io.Writer) *App {
	return &App{Stdin: stdin, Stdout: stdout, Stderr: stderr, verbs: verbs, program: "graft"}
}

func (a *App) main(args []string) int {
	if len(args) > 0 {
		a.program = args[0]
	}
	if !isIsolatedChild() {
		return a.Run(context.Background(), args)
	}
	if stderr := confine(); stderr != nil {
		a.Stderr = stderr
	}
	return isolatedCode(a.Run(context.Background(), args))
}

// Run runs one command line under ctx and returns the exit code.
func (a *App) Run(ctx context.Context, args []string) int {
	var words []string
	if len(args) > 0 {
		words = args[1:]
	}
	if n := len(words); n > 0 && words[n-1] == completionFlag {
		complete(a.Stdout, a.verbs, words[:n-1])
		return exitDone
	}
	l, err := reorder(a.verbs, words)
	if l.help {
		a.help(l)
		return exitDone
	}
	if err == nil {
		err = a.guarded(ctx, l, args)
	}
	if err == nil {
		return exitDone
	}
	var answer no
	if errors.As(err, &answer) {
		return exitNo
	}
	var died childCode
	if errors.As(err, &died) {
		return int(died)
	}
	var doc io.Writer
	if l.json {
		doc = a.Stdout
	}
	e := classify(l.name(), err)
	e.print(a.Stderr, doc)
	return e.Code
}

// guarded is dispatch with an error in place of a crash when a model's file, whose weights are mapped, is cut while it is used.
func (a *App) guarded(ctx context.Context, l *line, args []string) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			if err = onnx.Fault(p); err == nil {
				panic(p)
			}
		}
	}()
	return a.dispatch(ctx, l, args)
}

// dispatch parses the reordered line and runs its verb.
func (a *App) dispatch(ctx context.Context, l *line, args []string) error {
	root := &cli.App{
		Name: "graft", HideHelp: true, HideVersion: true,
		Reader: a.Stdin, Writer: a.Stdout, ErrWriter: a.Stderr,
		ExitErrHandler: func(*cli.Context, error) {},
	}
	action := func(v *verb, path string, parsed *cli.Context) error {
		c := &call{Args: parsed.Args().Slice(), Common: readCommon(parsed), app: a, path: path, verb: v, parsed: parsed, ctx: parsed.Context}
		if c.Common.Isolate && !isIsolatedChild() {
			return a.runIsolated(ctx, path, args, c.Common.Verbose)
		}
		return a.perform(c)
	}
	for i := range a.verbs {
		root.Commands = append(root.Commands, a.verbs[i].command("", action))
	}
	return root.RunContext(ctx, l.argv())
}

// perform runs the verb and delivers what it gave: the JSON document, the copy
// at --out, the messages.
func (a *App) perform(c *call) error {
	c.console = newConsole(a.Stderr, c.Common.Quiet, c.Common.Verbose)
	c.out = a.Stdout
	var copied bytes.Buffer
	keep := c.verb.groups&writes == 0 && c.Common.Out != "" && (c.verb.writesWhen == nil || !c.verb.writesWhen(c))
	if keep {
		if err := mayWrite(c.Common.Out, c.Common.Force); err != nil {
			return err
		}
		c.out = io.MultiWriter(a.Stdout, &copied)
	}
	if a.signals {
		ctx, stop := watchSignals(c.ctx, c.console)
		defer stop()
		c.ctx = ctx
	}
	err := c.verb.run(c)
	c.console.close()
	var answer no
	isNo := errors.As(err, &answer)
	if err != nil && !isNo {
		if c.ctx.Err() != nil && codeOf(err) != exitEnvironment {
			// A run that was told to stop fails in its own words; trouble with
			// the disk while saving is still worth telling.
			return &Error{Err: err, Code: exitInterrupted}
		}
		return err
	}
	if c.Common.JSON {
		if c.doc == nil {
			c.doc = struct{}{}
		}
		if e := writeJSON(&copied, c.doc); e != nil {
			return failed(e, "")
		}
	} else if isNo && answer != "" {
		c.Say("%s", strings.TrimSpace(string(answer)))
	}
	if keep {
		if e := writeFile(c.Common.Out, copied.Bytes()); e != nil {
			return e
		}
	}
	if c.Common.JSON {
		if _, e := a.Stdout.Write(copied.Bytes()); e != nil {
			return environment(fmt.Errorf("write stdout: %w", e), "")
		}
	}
	return err
}
