package dataset

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"graft/onnx"
	"graft/onnx/limits"
)

const (
	maxTextLine  = 1 << 20
	maxTextWords = 64 << 20
	maxWords     = 1 << 20
	// usualWords is how many words a vocabulary that is made of the text has, unless another number is asked for.
	usualWords = 8192
)

// The first words of a vocabulary that is made of a text: what fills up, what is not known, and what a classifier reads its
// answer at.
const (
	wordPad     = "[PAD]"
	wordUnknown = "[UNK]"
	wordClass   = "[CLS]"
)

// isText knows tables of two columns with a tab between, of which the one that is no answer holds words, as GLUE has them: in the
// first line, which may be a header, and in the second it is no number.
func isText(f *source) bool {
	if f.folder || f.ending() != ".tsv" || bytes.IndexByte(f.head, 0) >= 0 || !utf8.Valid(trimRune(f.head)) {
		return false
	}
	lines := strings.SplitN(strings.TrimPrefix(string(f.head), "\ufeff"), "\n", 3)
	first := strings.Split(lines[0], "\t")
	if len(first) != 2 {
		return false
	}
	answer, _, err := textAnswer(first, "")
	if err != nil {
		return false
	}
	for _, line := range lines[:min(len(lines), 2)] {
		fields := strings.Split(strings.TrimSuffix(line, "\r"), "\t")
		if line == "" || len(fields) < 2-answer {
			continue
		}
		if _, err := strconv.ParseFloat(strings.TrimSpace(fields[1-answer]), 64); err == nil {
			return false
		}
	}
	return true
}

// sentences is a table of text as it is read.
type sentences struct {
	words  [][]string
	labels []string
	total  int
}

// readText reads a sentence and its class a line. Words stand between blanks and become numbers by a vocabulary: a file with a
// word a line, or the most frequent words of this text, behind three that stand for what fills up, what is not known, and the
// beginning of every sentence. There is no tokenizer here: a word is known whole or not at all.
func readText(f *source, c ReadConfig) (*Table, error) {
	plain, err := f.plain()
	if err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(io.LimitReader(plain, f.most()))
	lines.Buffer(make([]byte, 1<<16), maxTextLine)
	t, column := &sentences{}, -1
	for at := 1; lines.Scan(); at++ {
		line := strings.TrimSuffix(strings.TrimPrefix(lines.Text(), "\ufeff"), "\r")
		if line == "" {
			continue
		}
		field := fmt.Sprintf("line %d", at)
		fields := strings.Split(line, "\t")
		if len(fields) != 2 {
			return nil, limits.Refuse(field, "has %d fields with tabs between, a sentence and its class are wanted", len(fields))
		}
		if !utf8.ValidString(line) {
			return nil, limits.Refuse(field, "is no UTF-8")
		}
		if column < 0 {
			header := false
			if column, header, err = textAnswer(fields, c.Label); err != nil {
				return nil, err
			}
			if header {
				continue
			}
		}
		if err := t.add(field, fields[1-column], strings.TrimSpace(fields[column])); err != nil {
			return nil, err
		}
	}
	if err := lines.Err(); errors.Is(err, bufio.ErrTooLong) {
		return nil, limits.Refuse("", "a line has more than %d bytes", maxTextLine)
	} else if err != nil {
		return nil, packed(err)
	}
	if len(t.labels) == 0 {
		return nil, limits.Refuse("", "holds no sentence")
	}
	return t.table(c)
}

// textAnswer finds the column of the classes: the one that is asked for, the one that a header calls so, or the last.
func textAnswer(first []string, wanted string) (column int, header bool, err error) {
	named := func(name string) int {
		return slices.IndexFunc(first, func(s string) bool { return strings.EqualFold(strings.TrimSpace(s), name) })
	}
	for _, name := range answerNames {
		if i := named(name); i >= 0 {
			column, header = i, true
			break
		}
	}
	if !header {
		column = 1
	}
	if wanted == "" {
		return column, header, nil
	}
	if i := named(wanted); i >= 0 {
		return i, true, nil
	}
	if n, err := strconv.Atoi(wanted); err == nil && n >= -2 && n < 2 {
		return (n + 2) % 2, header, nil
	}
	return 0, false, limits.Refuse("header", "no column %s: it has %s", limits.Name(wanted), limits.Names(first, 2))
}

// add takes a sentence.
func (t *sentences) add(field, text, label string) error {
	words := strings.Fields(strings.ToLower(text))
	t.total += len(words) + 1
	switch {
	case label == "":
		return limits.Refuse(field, "has no class")
	case len(words) == 0:
		return limits.Refuse(field, "has no words")
	case len(words) >= maxTokenLength:
		return limits.Refuse(field, "has %d words, at most %d", len(words), maxTokenLength-1)
	case t.total > maxTextWords:
		return limits.Refuse(field, "the text has more than %d words", maxTextWords)
	}
	t.words, t.labels = append(t.words, words), append(t.labels, strings.Clone(label))
	return nil
}

func (t *sentences) table(c ReadConfig) (*Table, error) {
	vocabulary := c.Vocabulary
	if vocabulary == nil {
		vocabulary = t.frequent(c.Words)
	}
	number := make(map[string]int64, len(vocabulary))
	for i, w := range vocabulary {
		number[w] = int64(i)
	}
	unknown, some := number[wordUnknown]
	if !some {
		return nil, limits.Refuse("vocabulary", "lacks %s, which stands for words that it has not", wordUnknown)
	}
	begin, begins := number[wordClass]
	lists := &tokenLines{lists: map[string][][]int64{}, single: map[string]bool{}, longest: map[string]int64{}, names: []string{columnIDs}, count: len(t.words)}
	missed := 0
	for _, words := range t.words {
		var ids []int64
		if begins {
			ids = append(ids, begin)
		}
		for _, w := range words {
			id, ok := number[w]
			if !ok {
				id = unknown
				missed++
			}
			ids = append(ids, id)
		}
		lists.lists[columnIDs] = append(lists.lists[columnIDs], ids)
		lists.longest[columnIDs] = max(lists.longest[columnIDs], int64(len(ids)))
	}
	out, err := lists.table(c.Length)
	if err != nil {
		return nil, err
	}
	labels, classes, err := textLabels(t.labels, c.Classes)
	if err != nil {
		return nil, err
	}
	rows, err := TensorRows(onnx.FromSlice(labels))
	if err != nil {
		return nil, err
	}
	out.Columns = append(out.Columns, Column{Name: columnLabels, Kind: Answers, Rows: rows})
	out.Classes, out.Vocabulary = classes, vocabulary
	out.Notes = append(out.Notes, fmt.Sprintf("%d sentences, a vocabulary of %d words without a tokenizer; %.1f %% of the words are not in it",
		len(t.words), len(vocabulary), 100*float64(missed)/float64(max(t.total-len(t.words), 1))))
	return out, nil
}

// textLabels are the numbers of classes that are numbers already, or those of words.
func textLabels(words, known []string) (labels []int64, classes []string, err error) {
	if known != nil {
		return classNumbers(words, known)
	}
	for _, w := range words {
		n, err := strconv.ParseInt(w, 10, 32)
		if err != nil {
			return classNumbers(words, nil)
		}
		labels = append(labels, n)
	}
	return labels, nil, nil
}

// frequent is a vocabulary of the text's most frequent words, those of one frequency in the order of their letters.
func (t *sentences) frequent(most int64) []string {
	if most == 0 {
		most = usualWords
	}
	count := map[string]int{}
	for _, words := range t.words {
		for _, w := range words {
			count[w]++
		}
	}
	special := []string{wordPad, wordUnknown, wordClass}
	for _, w := range special {
		delete(count, w)
	}
	words := slices.SortedFunc(maps.Keys(count), func(a, b string) int { return cmp.Or(cmp.Compare(count[b], count[a]), cmp.Compare(a, b)) })
	return append(special, words[:min(len(words), max(int(most)-len(special), 0))]...)
}

// ReadVocabulary reads a word a line; the first has number 0. BERT's vocab.txt is such a file.
func ReadVocabulary(path string) ([]string, error) {
	f, size, err := limits.OpenRegular(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	lines := bufio.NewScanner(io.LimitReader(f, size))
	lines.Buffer(make([]byte, 1<<12), maxTokenLine>>8)
	var words []string
	seen := map[string]int{}
	for lines.Scan() {
		w := strings.TrimSuffix(lines.Text(), "\r")
		field := fmt.Sprintf("line %d", len(words)+1)
		before, twice := seen[w]
		switch {
		case !utf8.ValidString(w) || w == "":
			return nil, limits.InFile(path, limits.Refuse(field, "is no word"))
		case twice:
			return nil, limits.InFile(path, limits.Refuse(field, "%s is line %d already", limits.Name(w), before+1))
		case len(words) == maxWords:
			return nil, limits.InFile(path, limits.Refuse(field, "more than %d words", maxWords))
		}
		seen[w] = len(words)
		words = append(words, w)
	}
	var system *os.PathError
	if err := lines.Err(); errors.As(err, &system) {
		return nil, err
	} else if err != nil {
		return nil, limits.InFile(path, limits.Refuse(fmt.Sprintf("line %d", len(words)+1), "is longer than a word"))
	}
	if len(words) == 0 {
		return nil, limits.InFile(path, limits.Refuse("", "holds no word"))
	}
	return words, nil
}
