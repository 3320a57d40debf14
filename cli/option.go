package cli

import (
	"flag"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"
)

// option is the flag kind that verbs use: it checks each value as it is set,
// and says flag, value and range when it refuses. Its state lives in the parsed
// line, never in the option, so options may stand in package variables.
type option struct {
	name, short string
	arg         string // placeholder of the value; empty for a switch
	usage       string
	section     string // heading in the help
	values      []string
	make        func() flag.Getter
}

var _ cli.DocGenerationFlag = (*option)(nil)
var _ cli.CategorizableFlag = (*option)(nil)

// alias gives the option a one-letter name.
func (o *option) alias(letter string) *option { o.short = letter; return o }

// under puts the option below a heading of the help.
func (o *option) under(section string) *option { o.section = section; return o }

// Apply adds the option to the set with a fresh value.
func (o *option) Apply(set *flag.FlagSet) error {
	set.Var(o.make(), o.name, o.usage)
	return nil
}

// Names returns the long name alone: short names are rewritten before parsing.
func (o *option) Names() []string { return []string{o.name} }

// IsSet is false: an option takes no value from the environment.
func (o *option) IsSet() bool { return false }

// String is the option as the help shows it.
func (o *option) String() string {
	s := "--" + o.name
	if o.short != "" {
		s = "-" + o.short + ", " + s
	}
	if o.arg != "" {
		s += " " + o.arg
	}
	return s
}

// TakesValue is false for switches.
func (o *option) TakesValue() bool { return o.arg != "" }

// GetUsage returns the sentence of the help.
func (o *option) GetUsage() string { return o.usage }

// GetValue returns the default as text.
func (o *option) GetValue() string { return o.make().String() }

// GetDefaultText returns the default as text.
func (o *option) GetDefaultText() string { return o.GetValue() }

// GetEnvVars returns nothing.
func (o *option) GetEnvVars() []string { return nil }

// IsVisible is true.
func (o *option) IsVisible() bool { return true }

// GetCategory returns the heading.
func (o *option) GetCategory() string { return o.section }

// toggle is a switch: --name, --name=false.
func toggle(name, usage string) *option {
	return &option{name: name, usage: usage, make: func() flag.Getter {
		return &value[bool]{parse: func(s string) (bool, error) {
			switch strings.ToLower(s) {
			case "true", "1", "yes":
				return true, nil
			case "false", "0", "no":
				return false, nil
			}
			return false, fmt.Errorf("wants true or false")
		}}
	}}
}

// text is a flag whose value is any text. An explicit empty value is refused:
// it is nearly always an unset shell variable.
func text(name, arg, usage string) *option {
	return &option{name: name, arg: arg, usage: usage, make: func() flag.Getter {
		return &value[string]{parse: func(s string) (string, error) {
			if s == "" {
				return "", fmt.Errorf("is empty")
			}
			if strings.ContainsRune(s, 0) {
				return "", fmt.Errorf("contains a NUL byte")
			}
			return s, nil
		}}
	}}
}

// list is a flag that may be repeated; a comma joins several values in one.
func list(name, arg, usage string) *option {
	o := repeated(name, arg, usage)
	o.make = func() flag.Getter { return &listValue{split: true} }
	return o
}

// repeated is a flag that may be repeated; its values may contain commas.
func repeated(name, arg, usage string) *option {
	return &option{name: name, arg: arg, usage: usage, make: func() flag.Getter { return &listValue{} }}
}

// choice is a flag with a fixed set of values; initial may be empty.
func choice(name, initial, usage string, values ...string) *option {
	return &option{name: name, arg: strings.Join(values, "|"), usage: usage, values: values, make: func() flag.Getter {
		return &value[string]{v: initial, parse: func(s string) (string, error) {
			for _, v := range values {
				if s == v {
					return s, nil
				}
			}
			return "", fmt.Errorf("wants one of %s%s", strings.Join(values, ", "), didYouMean(nearest(s, values)))
		}}
	}}
}

// value is a flag.Getter of one parsed value.
type value[T any] struct {
	v     T
	parse func(string) (T, error)
}

func (v *value[T]) Set(s string) error {
	got, err := v.parse(s)
	if err == nil {
		v.v = got
	}
	return err
}
func (v *value[T]) Get() any         { return v.v }
func (v *value[T]) String() string   { return fmt.Sprint(v.v) }
func (v *value[T]) IsBoolFlag() bool { _, ok := any(v.v).(bool); return ok }

type listValue struct {
	split bool
	v     []string
}

func (l *listValue) Set(s string) error {
	parts := []string{s}
	if l.split {
		parts = strings.Split(s, ",")
	}
	for _, p := range parts {
		if l.split {
			p = strings.TrimSpace(p)
		}
		if p == "" {
			return fmt.Errorf("is empty")
		}
		if strings.ContainsRune(p, 0) {
			return fmt.Errorf("contains a NUL byte")
		}
		l.v = append(l.v, p)
	}
	return nil
}
func (l *listValue) Get() any       { return l.v }
func (l *listValue) String() string { return strings.Join(l.v, ",") }
