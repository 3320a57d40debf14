package cli

import (
	"regexp"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// line is a command line taken apart.
type line struct {
	path  []*verb  // the verb, then its sub-verb
	flags []string // normalized: --name, --name=value
	args  []string
	help  bool
	json  bool
}

// name is the verb as the user writes it: "runtime info".
func (l *line) name() string {
	names := make([]string, len(l.path))
	for i, v := range l.path {
		names[i] = v.name
	}
	return strings.Join(names, " ")
}

// verb is the last verb of the path, or nil.
func (l *line) verb() *verb {
	if len(l.path) == 0 {
		return nil
	}
	return l.path[len(l.path)-1]
}

// argv is the line in the order that the parser wants: verb, flags, --, arguments.
func (l *line) argv() []string {
	argv := []string{"graft"}
	for _, v := range l.path {
		argv = append(argv, v.name)
	}
	argv = append(argv, l.flags...)
	return append(append(argv, "--"), l.args...)
}

// spec is what splitting the line needs to know of a flag.
type spec struct {
	name       string
	takesValue bool
	option     *option // nil for a stock flag
}

func specs(flags []cli.Flag) map[string]spec {
	known := map[string]spec{}
	for _, f := range flags {
		s := spec{name: f.Names()[0]}
		if d, ok := f.(cli.DocGenerationFlag); ok {
			s.takesValue = d.TakesValue()
		}
		s.option, _ = f.(*option)
		for _, name := range f.Names() {
			known[name] = s
		}
		if s.option != nil && s.option.short != "" {
			known[s.option.short] = s
		}
	}
	return known
}

var negativeNumber = regexp.MustCompile(`^-\.?[0-9]`)

// reorder takes a command line apart, with flags before, between and after the
// arguments, and checks it against the definitions: every flag known, every
// value well formed, no argument missing or surplus. words excludes the
// program's name. On error the line holds what was understood so far.
func reorder(table []verb, words []string) (*line, error) {
	l := &line{}
	root := verb{subs: table}
	words, err := l.findVerb(&root, words)
	if err != nil {
		return l, err
	}
	v := l.verb()
	if v == nil {
		if len(words) > 0 && !l.help {
			return l, l.refuse("no verb given", "")
		}
		l.help = true
		return l, nil
	}
	if v.run == nil {
		if l.help {
			return l, nil
		}
		return l, l.refuse("wants a verb: "+strings.Join(v.subNames(), ", "), "")
	}
	known := specs(v.allFlags())
	for i := 0; i < len(words); i++ {
		w := words[i]
		if w == "--" {
			l.args = append(l.args, words[i+1:]...)
			break
		}
		if !isFlag(w, known) {
			l.args = append(l.args, w)
			continue
		}
		name, val, hasValue := cutFlag(w)
		s, ok := known[name]
		if !ok {
			if err == nil {
				err = l.unknownFlag(w, known)
			}
			continue
		}
		if s.takesValue && !hasValue {
			if i+1 == len(words) || words[i+1] == "--" || knownFlag(words[i+1], known) {
				if err == nil {
					err = l.refuse("flag --"+s.name+" wants a value", "")
				}
				continue
			}
			i++
			val, hasValue = words[i], true
		}
		if !hasValue {
			val = "true"
		}
		if s.option != nil {
			if e := s.option.make().Set(val); e != nil && err == nil {
				err = l.refuse("flag --"+s.name+": "+quote(val)+" "+e.Error(), "")
			}
		}
		if s.takesValue || hasValue {
			l.flags = append(l.flags, "--"+s.name+"="+val)
		} else {
			l.flags = append(l.flags, "--"+s.name)
		}
	}
	if err == nil {
		err = l.checkArgs(v)
	}
	return l, err
}

// findVerb resolves the path, notes --help and --json anywhere, and returns
// the other words. Flags may stand before the verb: those of every verb.
func (l *line) findVerb(root *verb, words []string) ([]string, error) {
	everywhere := specs(commonFlags(readsModel | runsModel | writes | writesModel | trains))
	var rest []string
	at := root
	for i := 0; i < len(words); i++ {
		w := words[i]
		if w == "--" {
			return append(rest, words[i:]...), nil
		}
		known := everywhere
		leaf := at != root && at.run != nil
		if leaf {
			known = specs(at.allFlags())
		}
		if isFlag(w, known) {
			name, val, hasValue := cutFlag(w)
			s, ok := known[name]
			switch {
			case !ok && (name == "help" || name == "h"):
				l.help = true
				continue
			case !ok && name == "version" && at == root:
				w, words[i] = "version", "version"
			default:
				if s.name == "json" && (!hasValue || val != "false") {
					l.json = true
				}
				rest = append(rest, w)
				if ok && s.takesValue && !hasValue && i+1 < len(words) && words[i+1] != "--" && !knownFlag(words[i+1], known) {
					i++
					rest = append(rest, words[i])
				}
				continue
			}
		}
		if leaf {
			rest = append(rest, w)
			continue
		}
		if w == "help" && at == root {
			l.help = true
			continue
		}
		next := at.sub(w)
		if next == nil {
			what := "unknown verb " + quote(w)
			if at != root {
				what += " of " + l.name()
			}
			for _, later := range words[i:] {
				l.json = l.json || later == "--json"
			}
			return nil, l.refuse(what+didYouMean(nearest(w, at.subNames())), "")
		}
		at = next
		l.path = append(l.path, at)
	}
	if at == root && !l.help {
		for _, w := range rest {
			if isFlag(w, everywhere) && !knownFlag(w, everywhere) {
				return nil, l.unknownFlag(w, everywhere)
			}
		}
	}
	return rest, nil
}

func (l *line) checkArgs(v *verb) error {
	least, most := v.arity()
	switch {
	case l.help:
		return nil
	case len(l.args) < least:
		missing := strings.Fields(v.args)[len(l.args)]
		return l.refuse("argument "+missing+" is missing", "usage: "+usageLine(l.name(), v))
	case most >= 0 && len(l.args) > most:
		surplus := l.args[most]
		names := make([]string, 0, 16)
		for _, f := range v.allFlags() {
			names = append(names, f.Names()[0])
		}
		hint := "usage: " + usageLine(l.name(), v)
		if near := nearest(surplus, names); near != "" {
			return l.refuse("surplus argument "+quote(surplus)+"; did you mean --"+near+"?", hint)
		}
		return l.refuse("surplus argument "+quote(surplus), hint)
	}
	return nil
}

func (l *line) unknownFlag(w string, known map[string]spec) error {
	name, _, _ := cutFlag(w)
	var names []string
	for n, s := range known {
		if n == s.name {
			names = append(names, n)
		}
	}
	slices.Sort(names)
	of := ""
	if l.name() != "" {
		of = " of " + l.name()
	}
	dashes := w[:len(w)-len(strings.TrimLeft(w, "-"))]
	near := nearest(name, names)
	if near != "" {
		near = "--" + near
	}
	return l.refuse("unknown flag "+clean(dashes+name)+of+didYouMean(near), "")
}

func (l *line) refuse(reason, hint string) error {
	if hint == "" {
		hint = helpHint(l.name())
	}
	return &Error{Verb: l.name(), Reason: reason, Hint: hint, Code: exitUsage}
}

// isFlag says whether a word is meant as a flag: "-" is an argument (stdin),
// and so is a negative number unless a flag has that name.
func isFlag(w string, known map[string]spec) bool {
	if len(w) < 2 || w[0] != '-' {
		return false
	}
	return !negativeNumber.MatchString(w) || knownFlag(w, known)
}

func knownFlag(w string, known map[string]spec) bool {
	if len(w) < 2 || w[0] != '-' || w == "--" {
		return false
	}
	name, _, _ := cutFlag(w)
	_, ok := known[name]
	return ok || name == "help" || name == "h"
}

// cutFlag splits "--name=value"; one dash or two.
func cutFlag(w string) (name, val string, hasValue bool) {
	w = strings.TrimPrefix(w[1:], "-")
	return strings.Cut(w, "=")
}
