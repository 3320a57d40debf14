package cli

import (
	"fmt"
	"io"
	"strings"
)

var manVerb = verb{
	name: "man", args: "[VERB ...]", short: "print the manual page of graft or of a verb",
	long: "The page is in roff, as man reads it. Without a verb it is graft's own, which names the others.",
	examples: []string{
		"graft man > graft.1",
		"graft man pipeline run > graft-pipeline-run.1",
		"graft man convert | man -l -",
	},
	run: runMan,
}

func runMan(c *call) error {
	root := verb{subs: c.app.verbs}
	at := &root
	for i, word := range c.Args {
		next := at.sub(word)
		if next == nil || next.hidden {
			return misuse("unknown verb %s%s", quote(strings.Join(c.Args[:i+1], " ")), didYouMean(nearest(word, at.subNames())))
		}
		at = next
	}
	page := manPage(strings.Join(c.Args, " "), at)
	c.JSON(struct {
		Verb string `json:"verb"`
		Page string `json:"page"`
	}{strings.Join(c.Args, " "), page})
	if c.Common.JSON {
		return nil
	}
	_, err := io.WriteString(c.out, page)
	return err
}

// manPage is the manual page of a verb, or of graft for an empty path.
func manPage(path string, v *verb) string {
	var b strings.Builder
	name := strings.TrimSpace("graft " + path)
	dashed, short := strings.ReplaceAll(name, " ", "-"), v.short
	if path == "" {
		short = "build, mask, train, convert, export and run neural networks as ONNX graphs"
	}
	fmt.Fprintf(&b, ".TH %s 1 \"\" \"graft %s\" \"graft\"\n", roffQuote(strings.ToUpper(dashed)), roff(readVersion().Version))
	fmt.Fprintf(&b, ".SH NAME\n%s \\- %s\n", roff(dashed), roff(short))
	usage := name + " VERB [flags] ARGUMENTS"
	if v.run != nil {
		usage = usageLine(path, v)
	}
	fmt.Fprintf(&b, ".SH SYNOPSIS\n.B %s\n", roff(usage))
	if v.long != "" {
		b.WriteString(".SH DESCRIPTION\n.nf\n" + roffLines(strings.TrimSpace(v.long)) + ".fi\n")
	}
	if v.run == nil {
		b.WriteString(".SH VERBS\n")
		for i := range v.subs {
			for _, row := range verbRows(path, &v.subs[i]) {
				fmt.Fprintf(&b, ".TP\n.B %s\n%s\n", roff(row[0]), roff(row[1]))
			}
		}
	} else {
		manFlags(&b, v)
	}
	if len(v.examples) > 0 {
		b.WriteString(".SH EXAMPLES\n.nf\n" + roffLines(strings.Join(v.examples, "\n")) + ".fi\n")
	}
	b.WriteString(".SH EXIT STATUS\n")
	for line := range strings.Lines(exitHelp) {
		if code, text, ok := strings.Cut(strings.TrimSpace(line), "  "); ok {
			fmt.Fprintf(&b, ".TP\n.B %s\n%s\n", code, roff(strings.TrimSpace(text)))
		}
	}
	return b.String()
}

// manFlags writes the flags below their headings, in the order of the help.
func manFlags(b *strings.Builder, v *verb) {
	var sections []string
	rows := map[string][][2]string{}
	for _, f := range v.allFlags() {
		section, head, usage := describe(f)
		if rows[section] == nil {
			sections = append(sections, section)
		}
		rows[section] = append(rows[section], [2]string{strings.TrimSpace(head), usage})
	}
	for i, s := range sections {
		if i == 0 {
			b.WriteString(".SH OPTIONS\n")
		}
		fmt.Fprintf(b, ".SS %s\n", roff(s))
		for _, r := range rows[s] {
			fmt.Fprintf(b, ".TP\n.B %s\n%s\n", roff(r[0]), roff(r[1]))
		}
	}
}

// roff writes text so that none of it is a request or an escape.
func roff(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`).Replace(strings.ReplaceAll(s, "\n", " "))
	if strings.HasPrefix(s, ".") {
		s = `\&` + s
	}
	return s
}

func roffLines(s string) string {
	var b strings.Builder
	for line := range strings.Lines(s) {
		b.WriteString(roff(strings.TrimSuffix(line, "\n")) + "\n")
	}
	return b.String()
}

func roffQuote(s string) string { return `"` + roff(s) + `"` }
