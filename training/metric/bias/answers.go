package bias

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"

	"graft/onnx/atomicfile"
	"graft/onnx/limits"
)

// Question names what a model is asked.
type Question [16]byte

// QuestionOf names a question by its kind and by the lists of numbers that it is made of.
func QuestionOf(kind string, of ...[]int64) (q Question) {
	h := sha256.New()
	data := append([]byte(kind), 0)
	for _, list := range of {
		data = binary.LittleEndian.AppendUint64(data, uint64(len(list)))
		for _, v := range list {
			data = binary.LittleEndian.AppendUint64(data, uint64(v))
		}
	}
	h.Write(data)
	copy(q[:], h.Sum(nil))
	return q
}

// Answers keeps what a model has answered in a file, so that a run that was cut off goes on. Answers are appended as they come, each a
// line, and what a kill leaves of a line is dropped when the file is opened again. It is for one goroutine.
type Answers struct {
	known map[Question][]float64
	file  *os.File
	found int
}

type answerLine struct {
	Question string    `json:"q"`
	Answer   []float64 `json:"a"`
}

// mostAnswerBytes bounds the file.
const mostAnswerBytes = 4 << 30

// OpenAnswers opens a file of answers, which is made where it is missing. model says whose they are: the file begins anew when it is
// of another.
func OpenAnswers(path, model string) (*Answers, error) {
	head, err := json.Marshal(map[string]string{"answers_of": model})
	if err != nil {
		return nil, err
	}
	head = append(head, '\n')
	if info, err := os.Lstat(path); err == nil && !info.Mode().IsRegular() || err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("open answers %s: is no regular file", limits.Name(path))
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return nil, atomicfile.Wrap(path, err)
	}
	a := &Answers{known: map[Question][]float64{}, file: f}
	whole, err := a.read(head)
	if err == nil {
		err = f.Truncate(int64(whole))
	}
	if err == nil {
		_, err = f.Seek(int64(whole), io.SeekStart)
	}
	if err == nil && whole == 0 {
		_, err = f.Write(head)
	}
	if err != nil {
		return nil, errors.Join(atomicfile.Wrap(path, err), f.Close())
	}
	a.found = len(a.known)
	return a, nil
}

// read takes the lines up to the first that is not whole, and gives the bytes that they are; 0 where the file is of another model.
func (a *Answers) read(head []byte) (whole int, err error) {
	data, err := io.ReadAll(io.LimitReader(a.file, mostAnswerBytes))
	if err != nil || !bytes.HasPrefix(data, head) {
		return 0, err
	}
	for whole = len(head); ; {
		end := bytes.IndexByte(data[whole:], '\n')
		if end < 0 {
			return whole, nil
		}
		var line answerLine
		var q Question
		if json.Unmarshal(data[whole:whole+end], &line) != nil || len(line.Question) != 2*len(q) {
			return whole, nil
		}
		if _, err := hex.Decode(q[:], []byte(line.Question)); err != nil {
			return whole, nil
		}
		a.known[q] = line.Answer
		whole += end + 1
	}
}

// Found is how many answers the file had when it was opened.
func (a *Answers) Found() int { return a.found }

// Kept is how many answers there are.
func (a *Answers) Kept() int { return len(a.known) }

// Answer is the answer to a question, if it is known.
func (a *Answers) Answer(q Question) ([]float64, bool) {
	v, ok := a.known[q]
	return slices.Clone(v), ok
}

// Keep writes answers down, in one write.
func (a *Answers) Keep(questions []Question, answers [][]float64) error {
	var lines bytes.Buffer
	for i, q := range questions {
		line, err := json.Marshal(answerLine{hex.EncodeToString(q[:]), answers[i]})
		if err != nil {
			return fmt.Errorf("keep an answer: %w", err)
		}
		lines.Write(append(line, '\n'))
		a.known[q] = answers[i]
	}
	if _, err := a.file.Write(lines.Bytes()); err != nil {
		return atomicfile.Wrap(a.file.Name(), err)
	}
	return nil
}

// Close closes the file, which stays.
func (a *Answers) Close() error { return a.file.Close() }
