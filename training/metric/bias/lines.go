package bias

import (
	"bytes"
	"unicode/utf8"

	"graft/onnx/limits"
)

const (
	maxFile = 64 << 20 // bytes of a benchmark's file
	maxLine = 1 << 20  // bytes of a line, of an example, and of a sentence
	maxRows = 1 << 17
)

// readFile is the content of a regular file of at most maxFile bytes.
func readFile(path string) ([]byte, error) {
	f, size, err := limits.OpenRegular(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if size > maxFile {
		return nil, limits.InFile(path, limits.Refuse("", "%d bytes, at most %d are read", size, maxFile))
	}
	data := make([]byte, size)
	if err := limits.ReadAt(f, data, 0, "file"); err != nil {
		return nil, limits.InFile(path, err)
	}
	return bytes.TrimPrefix(data, []byte("\ufeff")), nil
}

// eachLine gives the lines that are not empty, with their numbers; lines that are too long or no UTF-8 are skipped.
func eachLine(path string, data []byte, skips *Skips, do func(number int, line []byte)) error {
	for number := 1; len(data) > 0; number++ {
		var line []byte
		line, data, _ = bytes.Cut(data, []byte("\n"))
		line = bytes.TrimSpace(line)
		switch {
		case len(line) == 0:
		case number > maxRows:
			return limits.InFile(path, limits.Refuse("", "more than %d lines", maxRows))
		case len(line) > maxLine:
			skips.add(Skipped{File: path, Line: number, Reason: "the line is longer than a megabyte"})
		case !utf8.Valid(line):
			skips.add(Skipped{File: path, Line: number, Reason: "the line is not UTF-8"})
		default:
			do(number, line)
		}
	}
	return nil
}

// sentence reports whether s can be asked of a model.
func sentence(s string) bool {
	if len(s) > maxLine || !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if r > ' ' && r != 0x7f {
			return true
		}
	}
	return false
}
