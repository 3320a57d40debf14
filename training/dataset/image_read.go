package dataset

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"graft/onnx/limits"
)

// What is accepted. Sizes are judged from the header, before a pixel is decoded.
const (
	minSide      = 32
	maxSide      = 8192
	maxPixels    = 40_000_000
	maxFileBytes = 512 << 20
)

const formatsHint = "PNG, JPEG, BMP, TIFF and WebP are read"

// ReadImage reads a picture of 32 to 8192 pixels a side, at most 40 megapixels and 512 MiB of file: PNG, JPEG, BMP, TIFF
// or WebP, told by its first bytes and not by its name. Colour tables are expanded, CMYK and YCbCr become RGB, alpha goes
// to a plane of its own, and the picture is turned upright by its EXIF orientation. Colour profiles are not applied. Of an
// animated PNG or a TIFF of many pages the first is read, and Note says so. What the file is at fault for is a
// *limits.InputError; what the system is, wraps the system's error.
func ReadImage(path string) (*Image, error) {
	data, err := readImageFile(path)
	if err != nil {
		if _, ok := errors.AsType[*limits.InputError](err); ok {
			return nil, limits.InFile(path, err)
		}
		return nil, fmt.Errorf("read image: %w", err)
	}
	return DecodeImage(path, data)
}

// readImageFile reads the file's bytes, and only the first few of one that is no image.
func readImageFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return nil, refuse("name one image file in it", "is a folder")
	}
	if !info.Mode().IsRegular() {
		return nil, refuse("copy the picture into a file", "is %s and not a file", kindOf(info.Mode()))
	}
	f, size, err := limits.OpenRegular(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if size > maxFileBytes {
		return nil, refuse("", "the file has %d MiB, at most %d are accepted", size>>20, maxFileBytes>>20)
	}
	head, err := io.ReadAll(io.LimitReader(f, sniffLen))
	if err != nil {
		return nil, err
	}
	if _, ok := sniff(head); !ok {
		return head, nil
	}
	data := bytes.NewBuffer(make([]byte, 0, int(size)+bytes.MinRead))
	data.Write(head)
	// The file may have grown since; what is beyond the limit is refused with the bytes.
	if _, err := data.ReadFrom(io.LimitReader(f, maxFileBytes-int64(len(head))+1)); err != nil {
		return nil, err
	}
	return data.Bytes(), nil
}

// refuse makes the error of a file that is no image for graft.
func refuse(hint, format string, args ...any) *limits.InputError {
	e := limits.Refuse("", format, args...)
	e.Hint = hint
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

// IsPicture says whether the file at path begins as a picture that ReadImage reads.
func IsPicture(path string) bool {
	f, size, err := limits.OpenRegular(path)
	if err != nil {
		return false
	}
	defer f.Close()
	head := make([]byte, min(size, sniffLen))
	if limits.ReadAt(f, head, 0, "") != nil {
		return false
	}
	_, is := sniff(head)
	return is
}
