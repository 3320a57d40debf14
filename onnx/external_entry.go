package onnx

import (
	"path/filepath"
	"strconv"
	"strings"

	"graft/onnx/internal/onnxpb"
	"graft/onnx/limits"
)

// externalData is the external_data of a tensor, checked on its own.
type externalData struct {
	location string // as in the file
	offset   int64
	length   int64  // of the tensor, whether the file gives it or not
	checksum string // SHA-1 of the whole file in hexadecimal, or empty
}

// parseExternal reads the entries and compares the length with what the tensor's type and dims ask for.
func parseExternal(t *onnxpb.TensorProto, p place) (*externalData, error) {
	want, ok := tensorBytes(t)
	if !ok {
		return nil, p.refuse("%v with dims %s cannot be stored in another file", DataType(t.GetDataType()), dimsText(t.Dims))
	}
	if field, n, _ := typedField(t); len(t.RawData) > 0 || n > 0 {
		return nil, p.refuse("its data is in another file and in %s as well", or(field, "raw_data"))
	}
	d := &externalData{length: -1}
	seen := map[string]bool{}
	for _, e := range t.ExternalData {
		key, value := e.GetKey(), e.GetValue()
		if seen[key] {
			return nil, p.refuse("external_data has %s twice", limits.Name(key))
		}
		seen[key] = true
		switch key {
		case "location":
			d.location = value
		case "offset", "length":
			n, ok := decimal(value)
			if !ok {
				return nil, p.refuse("external_data %s is %s, want decimal digits of at most 2^63-1", key, limits.Name(value))
			}
			if key == "offset" {
				d.offset = n
			} else {
				d.length = n
			}
		case "checksum":
			d.checksum = strings.ToLower(value)
			if len(value) != 40 || strings.Trim(d.checksum, "0123456789abcdef") != "" {
				return nil, p.refuse("external_data checksum is %s, want 40 hexadecimal digits (SHA-1)", limits.Name(value))
			}
		default:
			return nil, p.refuse("external_data has the unknown key %s", limits.Name(key))
		}
	}
	switch {
	case d.length < 0:
		d.length = want
	case d.length != want:
		return nil, p.refuse("external_data length is %d, %v %s asks for %d", d.length, DataType(t.GetDataType()), dimsText(t.Dims), want)
	}
	if _, ok := limits.AddInt(d.offset, d.length); !ok {
		return nil, p.refuse("external_data offset %d and length %d overflow", d.offset, d.length)
	}
	if reason := badLocation(d.location); reason != "" {
		return nil, p.refuse("external_data location %s %s", limits.Name(d.location), reason)
	}
	return d, nil
}

// badLocation says what is wrong with a location on every system; whether it leaves the folder is not asked here.
func badLocation(s string) string {
	const longest = 4096
	switch {
	case s == "":
		return "is missing"
	case len(s) > longest:
		return "is longer than 4096 bytes"
	case strings.HasPrefix(s, "*/"):
		return "is a runtime's address in memory, not a file"
	case strings.ContainsRune(s, 0):
		return "holds a NUL byte"
	case strings.Contains(s, `\`), len(s) > 1 && s[1] == ':':
		return "is a Windows path; locations use / and are relative"
	case strings.Contains(s, "://"), strings.HasPrefix(strings.ToLower(s), "file:"):
		return "is a URL, not a file beside the model"
	case strings.HasSuffix(s, "/") || filepath.Clean(s) == ".":
		return "is a folder"
	}
	return ""
}

// decimal reads digits and nothing else: no sign, no space, no exponent, no leading zero.
func decimal(s string) (int64, bool) {
	if s == "" || (s[0] == '0' && len(s) > 1) || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}

// tensorBytes is the size of a tensor's data; ok is false for strings, unknown types and impossible dims.
func tensorBytes(t *onnxpb.TensorProto) (int64, bool) {
	n, err := ElementCount(t.Dims)
	if err != nil || len(t.Dims) > maxRank {
		return 0, false
	}
	return dataBytes(n, DataType(t.GetDataType()))
}

// dataBytes is the size of n elements, packed where they are narrower than a byte; ok is false when it does not fit, and for
// types without a width.
func dataBytes(n int64, d DataType) (size int64, ok bool) {
	switch bits := int64(d.Bits()); {
	case bits == 0:
		return 0, false
	case bits >= 8:
		return limits.MulInt(n, bits/8)
	default:
		perByte := 8 / bits
		return n/perByte + min(n%perByte, 1), true
	}
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// dimsText is "[1 3 224 224]", cut where it is long.
func dimsText(dims []int64) string {
	const shown = 16
	parts := make([]string, 0, shown)
	for i, d := range dims {
		if i == shown {
			parts = append(parts, "...")
			break
		}
		parts = append(parts, strconv.FormatInt(d, 10))
	}
	return "[" + strings.Join(parts, " ") + "]"
}
