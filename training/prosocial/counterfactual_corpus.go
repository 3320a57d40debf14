package prosocial

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"graft/onnx/limits"
)

// Form is how counterfactual lines are written.
type Form int

const (
	// Lines: a line and behind it the swapped one.
	Lines Form = iota
	// Tabs: both in one line with a tab between; tabs in them become spaces.
	Tabs
	// JSONLines: an object of text and counterfactual in each line.
	JSONLines
)

// Augment says how a corpus is made counterfactual.
type Augment struct {
	Form Form
	// Keep writes lines that have nothing to swap as well, once; otherwise they are left out, as bias-bench does.
	Keep bool
	// Told, which may be nil, is called now and then with the bytes read.
	Told func(bytes int64)
}

// Augmented counts what was done with a corpus.
type Augmented struct {
	Lines     int64 `json:"lines"`     // that were read, without empty ones
	Swapped   int64 `json:"swapped"`   // lines with a counterfactual
	Words     int64 `json:"words"`     // that were swapped
	Ambiguous int64 `json:"ambiguous"` // swaps that a second swap does not undo
	Written   int64 `json:"written"`   // lines
	Skipped   int64 `json:"skipped"`   // lines that are not UTF-8, or too long
	First     int64 `json:"first_skipped,omitempty"`
}

// maxCorpusLine is the length of the longest line in bytes.
const maxCorpusLine = 1 << 20

// Corpus reads lines of text and writes those with a word of w, each with its counterfactual. Lines that are not UTF-8 or longer
// than a megabyte are skipped and counted. It is an error when nothing is written.
func (w *Words) Corpus(in io.Reader, out io.Writer, how Augment) (*Augmented, error) {
	r, to := bufio.NewReaderSize(in, 1<<16), bufio.NewWriterSize(out, 1<<16)
	done := &Augmented{}
	read := int64(0)
	for number := int64(1); ; number++ {
		line, length, err := corpusLine(r)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		read += length
		if how.Told != nil && number%1024 == 0 {
			how.Told(read)
		}
		if text := strings.TrimRight(string(line), "\r\n"); length > int64(len(line)) || !utf8.ValidString(text) {
			if done.Skipped++; done.First == 0 {
				done.First = number
			}
		} else if strings.TrimSpace(text) != "" {
			if err := w.line(text, to, how, done); err != nil {
				return nil, err
			}
		}
		if err != nil {
			break
		}
	}
	if done.Written == 0 {
		reason := fmt.Sprintf("none of %d lines has a word to swap", done.Lines)
		if done.Skipped > 0 {
			reason += fmt.Sprintf(", and %d are not UTF-8 or longer than a megabyte, the first line %d", done.Skipped, done.First)
		}
		return nil, limits.Refuse("", "%s", reason)
	}
	return done, to.Flush()
}

// corpusLine reads a line with its end, of which no more than maxCorpusLine bytes are kept, and gives its full length.
func corpusLine(r *bufio.Reader) (line []byte, length int64, err error) {
	for {
		part, err := r.ReadSlice('\n')
		length += int64(len(part))
		if len(line)+len(part) <= maxCorpusLine {
			line = append(line, part...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, length, err
		}
	}
}

func (w *Words) line(text string, to *bufio.Writer, how Augment, done *Augmented) error {
	done.Lines++
	s := w.Swap(text)
	if s.Words == 0 && !how.Keep {
		return nil
	}
	var b bytes.Buffer
	switch {
	case how.Form == JSONLines:
		row := struct {
			Text           string `json:"text"`
			Counterfactual string `json:"counterfactual,omitempty"`
		}{Text: text}
		if s.Words > 0 {
			row.Counterfactual = s.Text
		}
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(row); err != nil {
			return err
		}
		done.Written++
	case s.Words == 0:
		fmt.Fprintln(&b, text)
		done.Written++
	case how.Form == Tabs:
		flat := strings.NewReplacer("\t", " ")
		fmt.Fprintf(&b, "%s\t%s\n", flat.Replace(text), flat.Replace(s.Text))
		done.Written++
	default:
		fmt.Fprintf(&b, "%s\n%s\n", text, s.Text)
		done.Written += 2
	}
	if s.Words > 0 {
		done.Swapped++
	}
	done.Words += int64(s.Words)
	done.Ambiguous += int64(s.Ambiguous)
	_, err := to.Write(b.Bytes())
	return err
}

// Lines gives texts with a word of w, each with its counterfactual behind it, and with keep those without one as well. It is an error
// when nothing is left.
func (w *Words) Lines(texts []string, keep bool, done *Augmented) ([]string, error) {
	var out []string
	for _, text := range texts {
		done.Lines++
		s := w.Swap(text)
		switch {
		case s.Words > 0:
			out = append(out, text, s.Text)
			done.Swapped++
		case keep:
			out = append(out, text)
		}
		done.Words += int64(s.Words)
		done.Ambiguous += int64(s.Ambiguous)
	}
	if done.Written = int64(len(out)); len(out) == 0 {
		return nil, limits.Refuse("", "none of %d lines has a word to swap", done.Lines)
	}
	return out, nil
}
