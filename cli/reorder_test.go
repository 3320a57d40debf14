package cli

import (
	"bytes"
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

// leaves calls do for every verb that runs, with its path.
func leaves(table []verb, path []string, do func(path []string, v *verb)) {
	for i := range table {
		at := append(slices.Clone(path), table[i].name)
		if table[i].run != nil {
			do(at, &table[i])
		}
		leaves(table[i].subs, at, do)
	}
}

// record returns the table with every verb replaced by one that stores what it was given.
func record(table []verb, into *string) []verb {
	out := slices.Clone(table)
	for i := range out {
		out[i].subs = record(out[i].subs, into)
		if out[i].run == nil {
			continue
		}
		out[i].run = func(c *call) error {
			var b strings.Builder
			fmt.Fprintf(&b, "%q %+v", c.Args, c.Common)
			for _, f := range c.verb.flags {
				fmt.Fprintf(&b, " %s=%v", f.Names()[0], c.parsed.Value(f.Names()[0]))
			}
			*into = b.String()
			return nil
		}
	}
	return out
}

// sample returns a value that the flag accepts, other than its default where
// a list of tries holds one.
func sample(f cli.Flag) string {
	o, ok := f.(*option)
	if !ok {
		return ""
	}
	for _, try := range append(slices.Clone(o.values), "3", "0.5", "0.05", "64", "128", "a=b", "x") {
		if try == o.GetValue() {
			continue
		}
		if o.make().Set(try) == nil {
			return try
		}
	}
	return ""
}

// TestEveryVerbTakesFlagsAnywhere runs each registered verb with its flags
// before, after, between and around its arguments: it must see the same.
func TestEveryVerbTakesFlagsAnywhere(t *testing.T) {
	table := append([]verb{probeVerb}, verbs...)
	leaves(table, nil, func(path []string, v *verb) {
		t.Run(strings.Join(path, "_"), func(t *testing.T) {
			var flags [][]string
			var joined []string
			for _, f := range v.allFlags() {
				name := f.Names()[0]
				if name == "out" || name == "isolate" || name == "json" { // they change what the frame does
					continue
				}
				switch s := sample(f); {
				case !f.(cli.DocGenerationFlag).TakesValue():
					flags, joined = append(flags, []string{"--" + name}), append(joined, "--"+name+"=true")
				case s != "":
					flags, joined = append(flags, []string{"--" + name, s}), append(joined, "--"+name+"="+s)
				}
			}
			if len(flags) < 7 {
				t.Fatalf("only %d flags have a sample value", len(flags))
			}
			least, most := v.arity()
			count := least
			if most < 0 {
				count = least + 3
			} else if most > least {
				count = most
			}
			args := []string{}
			for i := range count {
				args = append(args, fmt.Sprintf("argument%d", i))
			}
			all := slices.Concat(flags...)
			between := slices.Clone(path)
			rest := slices.Clone(flags)
			for _, a := range args {
				n := min(len(rest), 2)
				between = append(append(between, slices.Concat(rest[:n]...)...), a)
				rest = rest[n:]
			}
			between = append(between, slices.Concat(rest...)...)
			lines := map[string][]string{
				"before":      slices.Concat(path, all, args),
				"after":       slices.Concat(path, args, all),
				"between":     between,
				"joined":      slices.Concat(path, args, joined),
				"dashes":      slices.Concat(path, all, []string{"--"}, args),
				"before verb": slices.Concat([]string{"--quiet", "--seed", "3"}, path, args, all),
			}
			var want string
			for _, way := range []string{"before", "after", "between", "joined", "dashes", "before verb"} {
				var got string
				var stderr bytes.Buffer
				a := &App{Stdout: &bytes.Buffer{}, Stderr: &stderr, verbs: record(table, &got)}
				if code := a.Run(context.Background(), append([]string{"graft"}, lines[way]...)); code != 0 {
					t.Fatalf("%s: %q: exit %d: %s", way, lines[way], code, stderr.String())
				}
				if want == "" {
					want = got
				}
				if got != want {
					t.Errorf("%s: verb saw\n%s\nwant\n%s", way, got, want)
				}
			}
			if !strings.Contains(want, "Seed:3") || !strings.Contains(want, "Quiet:true") || !strings.Contains(want, fmt.Sprintf("%q", args)) {
				t.Errorf("verb saw %s", want)
			}
		})
	})
}

// TestEveryVerbRefuses runs each verb with an unknown flag and a surplus argument.
func TestEveryVerbRefuses(t *testing.T) {
	table := append([]verb{probeVerb}, verbs...)
	leaves(table, nil, func(path []string, v *verb) {
		args := slices.Clone(path)
		least, most := v.arity()
		for i := range max(least, most) {
			args = append(args, fmt.Sprint("a", i))
		}
		bad := [][]string{append(slices.Clone(args), "--jsno"), append(slices.Clone(path), "--sede=4")}
		if most >= 0 {
			bad = append(bad, append(slices.Clone(args), "surplus"))
		}
		if least > 0 {
			bad = append(bad, path)
		}
		for _, words := range bad {
			var got string
			var stderr bytes.Buffer
			a := &App{Stdout: &bytes.Buffer{}, Stderr: &stderr, verbs: record(table, &got)}
			if code := a.Run(context.Background(), append([]string{"graft"}, words...)); code != exitUsage || got != "" {
				t.Errorf("%q: exit %d, verb saw %q", words, code, got)
			}
			if n := strings.Count(stderr.String(), "\n"); n < 1 || n > 3 {
				t.Errorf("%q: %d lines on stderr: %s", words, n, stderr.String())
			}
		}
	})
}

// TestVerbTable holds what the help and the parser rely on.
func TestVerbTable(t *testing.T) {
	reserved := map[string]bool{"help": true, "h": true, "version": true}
	leaves(append([]verb{probeVerb}, verbs...), nil, func(path []string, v *verb) {
		name := strings.Join(path, " ")
		if v.short == "" || strings.HasSuffix(v.short, ".") {
			t.Errorf("%s: short %q: want one line without full stop", name, v.short)
		}
		if len(v.subs) > 0 {
			t.Errorf("%s has both run and subs", name)
		}
		if path[0] != "probe" && len(v.examples) == 0 {
			t.Errorf("%s has no example", name)
		}
		seen := map[string]bool{}
		for _, f := range v.allFlags() {
			names := f.Names()
			if o, ok := f.(*option); ok && o.short != "" {
				names = append(names, o.short)
			}
			for _, n := range names {
				if seen[n] || reserved[n] {
					t.Errorf("%s: flag --%s is defined twice", name, n)
				}
				seen[n] = true
			}
		}
		for _, e := range v.examples {
			words := shellWord.FindAllString(e, -1)
			if i := slices.IndexFunc(words, func(w string) bool { return w == "|" || w == ">" }); i >= 0 { // the shell's
				words = words[:i]
			}
			if len(words) < 2 || words[0] != "graft" {
				continue
			}
			if _, err := reorder(verbs, words[1:]); err != nil {
				t.Errorf("%s: example %q: %v", name, e, err)
			}
		}
	})
}

func TestReorder(t *testing.T) {
	table := []verb{probeVerb}
	for _, c := range []struct {
		line  string
		flags string
		args  string
		err   string
	}{
		{"probe fine a -o out b", "--out=out", "a b", ""},
		{"probe fine a -o=out", "--out=out", "a", ""},
		{"-o out probe fine a", "--out=out", "a", ""},
		{"probe --seed 3 fine a", "--seed=3", "a", ""},
		{"probe fine a --out=x=y", "--out=x=y", "a", ""},
		{"probe fine --set a=1 m --set b=2,3", "--set=a=1 --set=b=2,3", "m", ""},
		{"probe fine a -n --resume b", "--dry-run --resume", "a b", ""},
		{"probe fine a --resume=false", "--resume=false", "a", ""},
		{"probe fine -- --resume -x --", "", "--resume -x --", ""},
		{"probe fine -5 a -.5 -", "", "-5 a -.5 -", ""},
		{"probe fine a --out -", "--out=-", "a", ""},
		{"probe fine a -lr 0.5", "--lr=0.5", "a", ""},
		{"probe fine a --lr -0.5", "", "", `flag --lr: "-0.5" is out of range: wants a number in (0, 10]`},
		{"probe fine a --nosie 0.1", "", "", "unknown flag --nosie of probe fine; did you mean --noise?"},
		{"probe fine --nosie 0.1 a", "", "", "unknown flag --nosie of probe fine; did you mean --noise?"},
		{"probe fine a -x", "", "", "unknown flag -x of probe fine"},
		{"probe fine a --resume=maybe", "", "", `flag --resume: "maybe" wants true or false`},
		{"probe fine a --out --json", "", "", "flag --out wants a value"},
		{"probe fine a --out", "", "", "flag --out wants a value"},
		{"probe fine a --out --", "", "", "flag --out wants a value"},
		{"probe fine a --out=", "", "", `flag --out: "" is empty`},
		{"probe fine a --preset qiuck", "", "", `flag --preset: "qiuck" wants one of quick, balanced, paper; did you mean quick?`},
		{"probe fine", "", "", "argument MODE is missing"},
		{"probe", "", "", "wants a verb: fine"},
		{"probe fien a", "", "", `unknown verb "fien" of probe; did you mean fine?`},
		{"prboe fine a", "", "", `unknown verb "prboe"; did you mean probe?`},
		{"--jsn probe fine a", "", "", "unknown flag --jsn of probe fine; did you mean --json?"},
		{"--jsn", "", "", "unknown flag --jsn; did you mean --json?"},
		{"-- probe", "", "", "no verb given"},
		{"--json", "", "", "no verb given"},
	} {
		l, err := reorder(table, strings.Fields(c.line))
		if c.err != "" {
			if err == nil || err.Error() != c.err {
				t.Errorf("%s: error %v, want %s", c.line, err, c.err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.line, err)
			continue
		}
		if got := strings.Join(l.flags, " "); got != c.flags {
			t.Errorf("%s: flags %q, want %q", c.line, got, c.flags)
		}
		if !reflect.DeepEqual(l.args, strings.Fields(c.args)) {
			t.Errorf("%s: arguments %q, want %q", c.line, l.args, c.args)
		}
	}
}

func TestReorderHelp(t *testing.T) {
	for _, line := range []string{"", "--help", "-h", "help", "help probe", "probe --help", "probe fine --help", "probe fine --nosie --help", "-h probe fine"} {
		if l, err := reorder([]verb{probeVerb}, strings.Fields(line)); !l.help {
			t.Errorf("%q: help not seen (%v)", line, err)
		}
	}
	if l, err := reorder([]verb{probeVerb}, strings.Fields("probe fine -- --help")); l.help || err != nil {
		t.Errorf("--help after -- is an argument; help %t, error %v", l.help, err)
	}
}
