package dataset

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"
	"unicode"
)

// What is accepted. Sizes are judged from the header, before a pixel is decoded.
const (
	minSide      = 32
	maxSide      = 8192
	maxPixels    = 40_000_000
	maxFileBytes = 512 << 20
)

// ImageError says why a file gives no image.
type ImageError struct {
	File   string // as the caller named it
	Reason string
	Hint   string // what mends it, or empty
	Err    error  // the cause, or nil
}

// Error is one line, whatever the file's name holds.
func (e *ImageError) Error() string {
	name := e.File
	if name == "" || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar }) {
		name = strconv.Quote(name)
	}
	s := "read image " + name + ": " + e.Reason
	if e.Hint != "" {
		s += ": " + e.Hint
	}
	return s
}

// Unwrap is the cause.
func (e *ImageError) Unwrap() error { return e.Err }

const formatsHint = "PNG, JPEG, BMP, TIFF and WebP are read"

// ReadImage reads a picture of 32 to 8192 pixels a side, at most 40 megapixels and 512 MiB of file: PNG, JPEG, BMP, TIFF
// or WebP, told by its first bytes and not by its name. Colour tables are expanded, CMYK and YCbCr become RGB, alpha goes
// to a plane of its own, and the picture is turned upright by its EXIF orientation. Colour profiles are not applied. Of an
// animated PNG or a TIFF of many pages the first is read, and Note says so. The error is an *ImageError.
func ReadImage(path string) (*Image, error) {
	data, err := readImageFile(path)
	if err != nil {
		err.File = path
		return nil, err
	}
	return DecodeImage(path, data)
}

// readImageFile reads the file's bytes, and only the first few of one that is no image.
func readImageFile(path string) ([]byte, *ImageError) {
	// Without O_NONBLOCK the opening of a FIFO waits for a writer.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, openError(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, openError(err)
	}
	switch {
	case info.IsDir():
		return nil, &ImageError{Reason: "is a folder", Hint: "name one image file in it"}
	case !info.Mode().IsRegular():
		return nil, &ImageError{Reason: "is not a regular file but " + kindOf(info.Mode()), Hint: "copy the picture into a file"}
	case info.Size() > maxFileBytes:
		return nil, &ImageError{Reason: fmt.Sprintf("the file has %d MiB, %d are accepted", info.Size()>>20, maxFileBytes>>20)}
	}
	head, err := io.ReadAll(io.LimitReader(f, sniffLen))
	if err != nil {
		return nil, openError(err)
	}
	if _, ok := sniff(head); !ok {
		return head, nil
	}
	data := bytes.NewBuffer(make([]byte, 0, int(info.Size())+bytes.MinRead))
	data.Write(head)
	if _, err := data.ReadFrom(io.LimitReader(f, maxFileBytes-int64(len(head))+1)); err != nil {
		return nil, openError(err)
	}
	if data.Len() > maxFileBytes {
		return nil, &ImageError{Reason: fmt.Sprintf("the file has more than %d MiB", maxFileBytes>>20)}
	}
	return data.Bytes(), nil
}

func openError(err error) *ImageError {
	e := &ImageError{Err: err}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		e.Reason, e.Hint = "no such file", "check the path"
	case errors.Is(err, fs.ErrPermission):
		e.Reason, e.Hint = "permission denied", "let this user read it"
	case errors.Is(err, syscall.EISDIR):
		e.Reason, e.Hint = "is a folder", "name one image file in it"
	default:
		var p *fs.PathError
		if errors.As(err, &p) {
			err = p.Err
		}
		e.Reason = err.Error()
	}
	return e
}

func kindOf(m fs.FileMode) string {
	switch {
	case m&fs.ModeNamedPipe != 0:
		return "a pipe"
	case m&fs.ModeSocket != 0:
		return "a socket"
	case m&fs.ModeDevice != 0:
		return "a device"
	}
	return "something else"
}
