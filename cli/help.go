package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"
)

const exitHelp = `Exit codes:
  0    done, or the answer is yes
  1    the answer is no (a check, comparison or verification found a difference)
  2    wrong usage
  3    input refused
  4    environment: disk, permission, library, provider, device
  5    the runtime failed, or training diverged
  130  interrupted; what was saved is valid
`

// help prints the help of the line's verb, or of graft.
func (a *App) help(l *line) {
	if v := l.verb(); v != nil {
		verbHelp(a.Stdout, l.name(), v)
		return
	}
	w := a.Stdout
	fmt.Fprint(w, `graft builds, masks, trains, exports and runs neural networks as ONNX graphs.

Examples:
`)
	for i := range a.verbs {
		if e := a.verbs[i].examples; len(e) > 0 && i < 6 {
			fmt.Fprintf(w, "  %s\n", e[0])
		}
	}
	fmt.Fprint(w, "\nUsage:\n  graft VERB [flags] ARGUMENTS\n\nVerbs:\n")
	var rows [][2]string
	for i := range a.verbs {
		rows = append(rows, verbRows("", &a.verbs[i])...)
	}
	columns(w, rows)
	fmt.Fprint(w, "\n"+exitHelp)
	fmt.Fprint(w, "\nFlags may stand before, between and after the arguments; -- ends them.\nMore on a verb: graft VERB --help\n")
}

func verbRows(path string, v *verb) [][2]string {
	path = strings.TrimSpace(path + " " + v.name)
	if v.hidden {
		return nil
	}
	if v.run != nil {
		return [][2]string{{path, v.short}}
	}
	var rows [][2]string
	for i := range v.subs {
		rows = append(rows, verbRows(path, &v.subs[i])...)
	}
	return rows
}

func verbHelp(w io.Writer, path string, v *verb) {
	fmt.Fprintf(w, "graft %s: %s\n", path, v.short)
	if len(v.examples) > 0 {
		fmt.Fprint(w, "\nExamples:\n")
		for _, e := range v.examples {
			fmt.Fprintf(w, "  %s\n", e)
		}
	}
	if v.run == nil {
		fmt.Fprintf(w, "\nUsage:\n  graft %s VERB [flags] ARGUMENTS\n\nVerbs:\n", path)
		columns(w, verbRows(strings.TrimSuffix(strings.TrimSuffix(path, v.name), " "), v))
		fmt.Fprintf(w, "\nMore on a verb: graft %s VERB --help\n", path)
		return
	}
	fmt.Fprintf(w, "\nUsage:\n  %s\n", usageLine(path, v))
	if v.long != "" {
		fmt.Fprintf(w, "\n%s\n", strings.TrimSpace(v.long))
	}
	sections, rows := []string{}, map[string][][2]string{}
	for _, f := range v.allFlags() {
		section, head, usage := describe(f)
		if rows[section] == nil {
			sections = append(sections, section)
		}
		rows[section] = append(rows[section], [2]string{head, usage})
	}
	for _, s := range sections {
		fmt.Fprintf(w, "\n%s:\n", s)
		columns(w, rows[s])
	}
	fmt.Fprint(w, "\n"+exitHelp)
}

// describe returns the heading, the left and the right column of a flag.
func describe(f cli.Flag) (section, head, usage string) {
	section, head = "Flags", "--"+f.Names()[0]
	if c, ok := f.(cli.CategorizableFlag); ok && c.GetCategory() != "" {
		section = c.GetCategory()
	}
	if d, ok := f.(cli.DocGenerationFlag); ok {
		usage = d.GetUsage()
		if v := d.GetDefaultText(); d.TakesValue() && v != "" && v != "0" && v != `""` {
			usage += " (default " + v + ")"
		}
	}
	if o, ok := f.(*option); ok {
		head = o.String()
	}
	if !strings.HasPrefix(head, "-") || strings.HasPrefix(head, "--") {
		head = "    " + head
	}
	return section, head, usage
}

func usageLine(path string, v *verb) string {
	return strings.TrimSpace("graft " + path + " [flags] " + v.args)
}

// columns prints pairs in two columns; a long left part stands on its own line.
func columns(w io.Writer, rows [][2]string) {
	const widest = 30
	width := 0
	for _, r := range rows {
		if n := len(r[0]); n <= widest {
			width = max(width, n)
		}
	}
	for _, r := range rows {
		if len(r[0]) > width {
			fmt.Fprintf(w, "  %s\n  %-*s  %s\n", r[0], width, "", r[1])
			continue
		}
		fmt.Fprintf(w, "  %-*s  %s\n", width, r[0], r[1])
	}
}
