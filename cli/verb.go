package cli

import (
	"strings"

	"github.com/urfave/cli/v2"
)

// group says which of the common flags a verb takes beside those of every
// verb. Groups are joined with |.
type group uint8

const (
	// readsModel: the verb reads a model file.
	readsModel group = 1 << iota
	// runsModel: the verb opens a session of ONNX Runtime.
	runsModel
	// writes: the verb writes files or folders at --out; it takes --dry-run.
	// The --out of any other verb receives a copy of what the verb prints.
	writes
	// writesModel: what it writes is a model file.
	writesModel
	// trains: the verb runs training steps.
	trains
)

// verb is one row of the table. It has either run or subs.
//
// args is the signature of the arguments as the help shows it, and the only
// place that states their number: "FILE" is one, "A B" two, "[FILE]" at most
// one, "FILE ..." one or more, "[FILE ...]" any number.
type verb struct {
	name     string
	args     string
	short    string // one line, no full stop
	long     string // paragraphs of the help; may be empty
	examples []string
	groups   group
	// writesWhen, of a verb that is not in the group writes, reports whether this run writes files or folders at --out all the same.
	writesWhen func(*call) bool
	flags      []cli.Flag
	run        func(*call) error
	subs       []verb
	hidden     bool // graft calls it itself: no help, no completion
}

// arity returns the least and the largest number of arguments; -1 is no bound.
func (v *verb) arity() (least, most int) {
	for word := range strings.FieldsSeq(v.args) {
		switch {
		case word == "..." || word == "...]":
			most = -1
			continue
		case !strings.HasPrefix(word, "["):
			least++
		}
		if most >= 0 {
			most++
		}
	}
	return least, most
}

// sub returns the verb of that name below v, or nil.
func (v *verb) sub(name string) *verb {
	for i := range v.subs {
		if v.subs[i].name == name {
			return &v.subs[i]
		}
	}
	return nil
}

// subNames lists the names of the verbs below v, without the hidden.
func (v *verb) subNames() []string {
	var names []string
	for i := range v.subs {
		if !v.subs[i].hidden {
			names = append(names, v.subs[i].name)
		}
	}
	return names
}

// allFlags returns the verb's own flags, then the common ones of its groups.
func (v *verb) allFlags() []cli.Flag {
	return append(append([]cli.Flag{}, v.flags...), commonFlags(v.groups)...)
}

// command builds the urfave command of v; action receives every leaf.
func (v *verb) command(path string, action func(v *verb, path string, parsed *cli.Context) error) *cli.Command {
	path = strings.TrimSpace(path + " " + v.name)
	c := &cli.Command{Name: v.name, Usage: v.short, ArgsUsage: v.args, HideHelp: true}
	c.OnUsageError = func(_ *cli.Context, err error, _ bool) error {
		return &Error{Verb: path, Reason: err.Error(), Hint: helpHint(path), Code: exitUsage}
	}
	if v.run == nil {
		for i := range v.subs {
			c.Subcommands = append(c.Subcommands, v.subs[i].command(path, action))
		}
		return c
	}
	c.Flags = v.allFlags()
	c.Action = func(parsed *cli.Context) error { return action(v, path, parsed) }
	return c
}

func helpHint(path string) string {
	return "see: graft " + strings.TrimSpace(path+" --help")
}
