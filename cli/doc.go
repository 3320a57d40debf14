// Package cli is graft's command line: the verbs, and the frame that every
// verb is a row of.
//
// A new verb is one file and one row of verbs.go:
//
//	var countVerb = verb{
//		name: "count", args: "FILE", short: "count the nodes of a model",
//		examples: []string{"graft count model.onnx"},
//		groups:   readsModel,
//		flags:    []cli.Flag{number("least", "X", between(0, 1), 0, "smallest share shown")},
//		run:      runCount,
//	}
//
//	func runCount(c *call) error {
//		m, err := load(c.Arg(0), c.Common)
//		if err != nil {
//			return refused(c.Arg(0), err) // exit code 3; what, where, what to do
//		}
//		c.Progress().Stage("count", 0)
//		c.JSON(counted{Nodes: len(m.Nodes())}) // printed under --json
//		c.Print("%d nodes", len(m.Nodes()))    // printed otherwise
//		return nil                             // no("...") is exit code 1
//	}
//
// The frame does the rest: flags in any order, ranges of numbers, help,
// completion, --json, --quiet, --isolate, Ctrl-C, exit codes. The kinds of
// flags are toggle, text, list, repeated, choice, number, fraction and integer;
// call.Bool, Text, List, Float and Int read them. A verb that writes asks
// call.OutFile before any work. Errors of lower packages are
// classified by their ExitCode, Hint and File methods, context.Canceled is an
// interruption (130), and permission, space and other trouble of the system is
// the environment (4); everything else is a refused input (3).
package cli
