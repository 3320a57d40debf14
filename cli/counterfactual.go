package cli

import (
	"bufio"
	"errors"
	"io"

	"github.com/urfave/cli/v2"

	"graft/onnx/atomicfile"
	"graft/onnx/limits"
	"graft/training/prosocial"
)

var counterfactualVerb = verb{
	name: "counterfactual", args: "IN", short: "make counterfactual text: each line with a gendered word once more with the other gender",
	long: `IN is a text file, a sample a line; - is standard input. A line with a word of the list is written, and then the line with every
such word in the other gender; other lines are left out unless --keep. Pairs come from published lists (docs/bias.md), names from a list of
common ones with --names common. her becomes his where a noun may follow and him elsewhere, his becomes her or hers in the same way.`,
	examples: []string{
		"graft counterfactual corpus.txt --out augmented.txt",
		"graft counterfactual corpus.txt --form tabs --names common --out pairs.tsv",
	},
	groups: writes,
	flags: []cli.Flag{
		choice("form", "lines", "a line for each text, both with a tab between, or JSON lines with text and counterfactual", "lines", "tabs", "jsonl"),
		text("words", "FILE", "pairs of words, two in a line (default: of gender)"),
		text("names", "FILE|common", "pairs of names, swapped where they begin with a capital"),
		toggle("keep", "write lines that have no such word as well"),
	},
	run: runCounterfactual,
}

// augmented is the document of graft counterfactual --json.
type augmented struct {
	File  string `json:"file"`
	Pairs int    `json:"pairs"` // of words and names
	*prosocial.Augmented
}

func runCounterfactual(c *call) error {
	out, err := c.OutFile()
	if err != nil {
		return err
	}
	words, err := c.swappedWords()
	if err != nil {
		return err
	}
	in, size := c.Stdin(), int64(0)
	path := c.Arg(0)
	if path != "-" {
		f, n, err := limits.OpenRegular(path)
		if err != nil {
			return refused(path, err)
		}
		defer f.Close()
		in, size = f, n
	}
	how := prosocial.Augment{Form: map[string]prosocial.Form{"lines": prosocial.Lines, "tabs": prosocial.Tabs, "jsonl": prosocial.JSONLines}[c.Text("form")], Keep: c.Bool("keep")}
	const kilobytes = 1 << 10
	c.Progress().Stage("swap, kB", int(size/kilobytes))
	how.Told = func(bytes int64) { c.Progress().Step(int(bytes/kilobytes), "") }
	doc := augmented{File: out, Pairs: words.Len()}
	// The file is begun when there is something to write.
	text, to := io.Pipe()
	go func() {
		done, err := words.Corpus(contextReader{c, in}, to, how)
		doc.Augmented = done // before the end is seen
		_ = to.CloseWithError(err)
	}()
	begun := bufio.NewReader(text)
	if _, err = begun.Peek(1); err == nil {
		work := func(w io.Writer) error { _, err := io.Copy(w, begun); return err }
		if c.Common.DryRun {
			err = work(io.Discard)
		} else {
			err = atomicfile.Write(out, 0o666, work)
		}
	}
	_ = text.CloseWithError(err)
	c.Progress().Done()
	var unfit *limits.InputError
	switch {
	case errors.As(err, &unfit):
		return refused(path, unfit)
	case err != nil:
		return err
	}
	c.JSON(doc)
	if doc.Skipped > 0 {
		c.Say("%s: %s not UTF-8 or longer than a megabyte, the first is line %d: skipped", path, counted(int(doc.Skipped), "line"), doc.First)
	}
	would := ""
	if c.Common.DryRun {
		would = "would write "
	}
	c.Print("%s%s: %s, %s of %s with %s swapped, %s ambiguous", would, out, counted(int(doc.Written), "line"), grouped(doc.Swapped), counted(int(doc.Lines), "line"), counted(int(doc.Words), "word"), grouped(doc.Ambiguous))
	return nil
}

// swappedWords are --words and --names.
func (c *call) swappedWords() (words *prosocial.Words, err error) {
	read := func(path string, take func(io.Reader) error) error {
		f, _, err := limits.OpenRegular(path)
		if err != nil {
			return refused(path, err)
		}
		defer f.Close()
		if err := take(f); err != nil {
			return refused(path, limits.InFile(path, err))
		}
		return nil
	}
	if path := c.Text("words"); path != "" {
		err = read(path, func(r io.Reader) (err error) { words, err = prosocial.ReadWords(r); return err })
	} else {
		words, err = prosocial.Gender()
	}
	if err != nil {
		return nil, err
	}
	switch path := c.Text("names"); path {
	case "":
		return words, nil
	case "common":
		return words, words.AddNames(nil)
	default:
		return words, read(path, words.AddNames)
	}
}

// contextReader ends at Ctrl-C.
type contextReader struct {
	c *call
	r io.Reader
}

func (r contextReader) Read(p []byte) (int, error) {
	if err := r.c.Context().Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}
