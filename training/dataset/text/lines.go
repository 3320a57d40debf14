package text

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

const (
	maxFile = 4 << 30   // bytes of a file
	maxLine = 1 << 20   // bytes of a row
	maxRows = 4 << 20   // rows of a file
	maxText = 1 << 30   // bytes of the texts that are kept
	maxWide = 1 << 10   // fields of a row
	rowWrap = 1 << 10   // lines of a row with quotes
	bufSize = 128 << 10 // bytes that are read at once
)

// line is a line of a file without its end; data is nil where it is longer than maxLine.
type line struct {
	number int
	data   []byte
}

// lines reads a file line by line. Lines can be put back.
type lines struct {
	r    *bufio.Reader
	back []line
	at   int
}

func newLines(r io.Reader) *lines { return &lines{r: bufio.NewReaderSize(r, bufSize)} }

// next is io.EOF behind the last line.
func (l *lines) next() (line, error) {
	if n := len(l.back); n > 0 {
		x := l.back[n-1]
		l.back = l.back[:n-1]
		return x, nil
	}
	var data []byte
	long, read := false, false
	for {
		part, err := l.r.ReadSlice('\n')
		read = read || len(part) > 0
		if long = long || len(data)+len(part) > maxLine; !long {
			data = append(data, part...)
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if err != nil && (!errors.Is(err, io.EOF) || !read) {
			return line{}, err
		}
		break
	}
	l.at++
	if long {
		return line{l.at, nil}, nil
	}
	data = bytes.TrimRight(data, "\r\n")
	if l.at == 1 {
		data = bytes.TrimPrefix(data, []byte("\ufeff"))
	}
	if data == nil {
		data = []byte{}
	}
	return line{l.at, data}, nil
}

// putBack has lines come again, in their order.
func (l *lines) putBack(list []line) {
	for i := len(list) - 1; i >= 0; i-- {
		l.back = append(l.back, list[i])
	}
}

// quoted joins lines to a row whose quotes are closed and that valid takes; first is the one it begins with. Where there is none
// within the bounds, ok is false and the lines behind the first come again.
func (l *lines) quoted(first line, valid func(row []byte) bool) (row []byte, ok bool, err error) {
	row = first.data
	if bytes.Count(row, []byte{'"'})%2 == 0 {
		return row, true, nil
	}
	row = bytes.Clone(row)
	var more []line
	open := true
	for len(more) < rowWrap {
		next, err := l.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, false, err
		}
		more = append(more, next)
		if next.data == nil || len(row)+1+len(next.data) > maxLine {
			break
		}
		row = append(append(row, '\n'), next.data...)
		if bytes.Count(next.data, []byte{'"'})%2 == 1 {
			open = false
			break
		}
	}
	if open || !valid(row) {
		l.putBack(more)
		return nil, false, nil
	}
	return row, true, nil
}
