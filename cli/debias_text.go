package cli

import (
	"math/rand/v2"
	"strings"
)

// splitText is text, a sample a line.
type splitText struct{ train, heldOut []string }

// mostCorpus bounds a file of text to train on.
const mostCorpus = 256 << 20

// readLines are the lines of a file of text that are not empty.
func readLines(path string) ([]string, error) {
	data, err := readTextWithin(path, mostCorpus)
	if err != nil {
		return nil, err
	}
	var lines []string
	for line := range strings.Lines(data) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return lines, nil
}

// textLines are the lines of all files of --text.
func (c *call) textLines() (lines []string, err error) {
	for _, path := range c.List("text") {
		more, err := readLines(path)
		if err != nil {
			return nil, err
		}
		lines = append(lines, more...)
	}
	return lines, nil
}

// splitLines holds a part of the lines out, by chance. Lines that are there twice go together.
func splitLines(lines []string, part float64, seed uint64) *splitText {
	seen, distinct := map[string]bool{}, []string(nil)
	for _, line := range lines {
		if !seen[line] {
			seen[line] = true
			distinct = append(distinct, line)
		}
	}
	r := rand.New(rand.NewPCG(seed, 0x68656c64))
	r.Shuffle(len(distinct), func(i, j int) { distinct[i], distinct[j] = distinct[j], distinct[i] })
	n := int(part * float64(len(distinct)))
	return &splitText{train: distinct[n:], heldOut: distinct[:n]}
}
