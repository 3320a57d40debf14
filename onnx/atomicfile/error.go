package atomicfile

import (
	"errors"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"
	"unicode"
)

// Error says why a file or folder was not written.
type Error struct {
	Path   string // the target, as the caller named it
	Reason string // with what mends it
	Err    error  // the system's error
}

// Error is one line: "write PATH: disk full: free some space or write elsewhere".
func (e *Error) Error() string {
	path := e.Path
	if strings.ContainsFunc(path, func(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar }) {
		path = strconv.Quote(path)
	}
	return "write " + path + ": " + e.Reason
}

// Unwrap is the system's error.
func (e *Error) Unwrap() error { return e.Err }

// File is the target.
func (e *Error) File() string { return e.Path }

// Wrap makes an *Error of what the system said while path was written: a readable reason without the temporary names that
// the system saw. A nil error stays nil, an *Error stays what it is.
func Wrap(path string, err error) error { return wrap(path, err) }

func wrap(path string, err error) error {
	var known *Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	e := &Error{Path: path, Err: err}
	switch {
	case isFull(err):
		e.Reason = "disk full: free some space or write elsewhere"
	case errors.Is(err, syscall.EFBIG):
		e.Reason = "the file is larger than this user or file system may write"
	case errors.Is(err, syscall.EROFS):
		e.Reason = "the file system is read-only: write elsewhere"
	case errors.Is(err, fs.ErrPermission):
		e.Reason = "permission denied: let this user write into the folder, or write elsewhere"
	case errors.Is(err, syscall.ENOTDIR):
		e.Reason = "a part of the path is a file and not a folder"
	case errors.Is(err, fs.ErrNotExist):
		e.Reason = "the folder does not exist: make it first"
	case errors.Is(err, syscall.ENAMETOOLONG):
		e.Reason = "the name is too long"
	default:
		e.Reason = system(err)
	}
	return e
}

// system is the innermost message of err, without paths.
func system(err error) string {
	var path *fs.PathError
	var link *os.LinkError
	switch {
	case errors.As(err, &path):
		return path.Err.Error()
	case errors.As(err, &link):
		return link.Err.Error()
	}
	return err.Error()
}
