package pickle

import (
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"graft/onnx/limits"
)

const (
	maxLongBytes = 16 // of a binary integer
	maxDigits    = 40 // of an integer as text
	maxTextFloat = 64
	maxLine      = 4096 // of a string as text, or a global's module or name
)

// literal executes an opcode that pushes a value standing in the pickle itself; done is false for any other opcode.
func (m *machine) literal(code byte) (done bool, err error) {
	var v any
	switch code {
	case opNone:
	case opNewTrue, opNewFalse:
		v = code == opNewTrue
	case opBinInt1:
		var n byte
		n, err = m.r.U8(m.where)
		v = int64(n)
	case opBinInt2:
		var n uint16
		n, err = m.r.U16(m.where)
		v = int64(n)
	case opBinInt:
		var n uint32
		n, err = m.r.U32(m.where)
		v = int64(int32(n))
	case opLong1, opLong4:
		v, err = m.binaryLong(code)
	case opInt, opLong:
		v, err = m.textInteger(code)
	case opFloat:
		v, err = m.textFloat()
	case opBinFloat:
		var b []byte
		if b, err = m.r.Bytes(8, m.where); err == nil {
			slices.Reverse(b)
			v = math.Float64frombits(le.Uint64(b))
		}
	case opString, opUnicode:
		v, err = m.textString(code)
	case opBinString, opShortBinString, opBinUnicode, opShortBinUnicode, opBinUnicode8:
		v, err = m.text(code)
	case opBinBytes, opShortBinBytes, opBinBytes8, opByteArray8:
		v, err = m.counted(code)
	default:
		return false, nil
	}
	if err == nil {
		m.push(v)
	}
	return true, err
}

// counted reads a length of the opcode's width and so many bytes.
func (m *machine) counted(code byte) ([]byte, error) {
	var n uint64
	var err error
	switch code {
	case opShortBinString, opShortBinUnicode, opShortBinBytes:
		var short byte
		short, err = m.r.U8(m.where)
		n = uint64(short)
	case opBinString, opBinUnicode, opBinBytes:
		var word uint32
		word, err = m.r.U32(m.where)
		n = uint64(word)
	default:
		n, err = m.r.U64(m.where)
	}
	if err != nil {
		return nil, err
	}
	return m.r.Bytes(n, m.where)
}

func (m *machine) text(code byte) (string, error) {
	b, err := m.counted(code)
	if err != nil {
		return "", err
	}
	if !utf8.Valid(b) {
		return "", m.refuse("a string that is not UTF-8")
	}
	return string(b), nil
}

// binaryLong reads a two's complement little-endian integer of a counted number of bytes.
func (m *machine) binaryLong(code byte) (any, error) {
	var n uint32
	var err error
	if code == opLong1 {
		var short byte
		short, err = m.r.U8(m.where)
		n = uint32(short)
	} else {
		n, err = m.r.U32(m.where)
	}
	if err != nil {
		return nil, err
	}
	if n > maxLongBytes {
		return nil, m.refuse("an integer of %d bytes, at most %d", n, maxLongBytes)
	}
	b, err := m.r.Bytes(uint64(n), m.where)
	if err != nil {
		return nil, err
	}
	slices.Reverse(b)
	x := new(big.Int).SetBytes(b)
	if len(b) > 0 && b[0]&0x80 != 0 {
		x.Sub(x, new(big.Int).Lsh(big.NewInt(1), uint(8*n)))
	}
	return integer(x), nil
}

// integer is x as an int64 where it fits.
func integer(x *big.Int) any {
	if x.IsInt64() {
		return x.Int64()
	}
	return x
}

// textInteger reads INT ("I01" and "I00" are the booleans of protocol 0) or LONG.
func (m *machine) textInteger(code byte) (any, error) {
	line, err := m.r.Line(maxDigits, m.where)
	if err != nil {
		return nil, err
	}
	if code == opInt && (line == "00" || line == "01") {
		return line == "01", nil
	}
	digits := line
	if code == opLong {
		digits = strings.TrimSuffix(line, "L")
	}
	if strings.Trim(strings.TrimPrefix(digits, "-"), "0123456789") != "" {
		return nil, m.refuse("integer %s", limits.Name(line))
	}
	x, ok := new(big.Int).SetString(digits, 10)
	if !ok || x.BitLen() > 8*maxLongBytes-1 {
		return nil, m.refuse("integer %s", limits.Name(line))
	}
	return integer(x), nil
}

func (m *machine) textFloat() (any, error) {
	line, err := m.r.Line(maxTextFloat, m.where)
	if err != nil {
		return nil, err
	}
	f, err := strconv.ParseFloat(line, 64)
	if err != nil || strings.ContainsAny(line, "xX_pP") {
		return nil, m.refuse("float %s", limits.Name(line))
	}
	return f, nil
}

// textString reads STRING, a quoted Python literal, or UNICODE, in the raw-unicode-escape encoding.
func (m *machine) textString(code byte) (string, error) {
	line, err := m.r.Line(maxLine, m.where)
	if err != nil {
		return "", err
	}
	escapes := `uU`
	if code == opString {
		if len(line) < 2 || line[0] != line[len(line)-1] || line[0] != '\'' && line[0] != '"' {
			return "", m.refuse("string %s is not quoted", limits.Name(line))
		}
		line, escapes = line[1:len(line)-1], `\'"nrtx`
	}
	var out []byte
	for i := 0; i < len(line); i++ {
		c := line[i]
		switch {
		case c == '\\' && i+1 < len(line) && strings.IndexByte(escapes, line[i+1]) >= 0:
			b, used, ok := unescape(line[i+1:])
			if !ok {
				return "", m.refuse("bad escape in string %s", limits.Name(line))
			}
			out = append(out, b...)
			i += used
		case c == '\\' && code == opString:
			return "", m.refuse("bad escape in string %s", limits.Name(line))
		case code == opUnicode: // bytes stand for the first 256 code points
			out = utf8.AppendRune(out, rune(c))
		default:
			out = append(out, c)
		}
	}
	if !utf8.Valid(out) {
		return "", m.refuse("a string that is not UTF-8")
	}
	return string(out), nil
}

// unescape decodes what follows a backslash and gives how many bytes of s that took.
func unescape(s string) (out []byte, used int, ok bool) {
	width := map[byte]int{'x': 2, 'u': 4, 'U': 8}[s[0]]
	if width == 0 {
		return []byte{"\\'\"\n\r\t"[strings.IndexByte(`\'"nrt`, s[0])]}, 1, true
	}
	if len(s) < 1+width {
		return nil, 0, false
	}
	n, err := strconv.ParseUint(s[1:1+width], 16, 32)
	if err != nil || s[0] != 'x' && !utf8.ValidRune(rune(n)) {
		return nil, 0, false
	}
	if s[0] == 'x' {
		return []byte{byte(n)}, 1 + width, true
	}
	return utf8.AppendRune(nil, rune(n)), 1 + width, true
}
