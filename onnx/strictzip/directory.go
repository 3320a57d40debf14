package strictzip

import (
	"encoding/binary"
	"io"
	"math"
	"strings"
	"unicode"
	"unicode/utf8"

	"graft/onnx/limits"
)

const (
	endSize     = 22
	end64Size   = 56
	locatorSize = 20
	localSize   = 30

	flagDescriptor = 0x8
	flagsAllowed   = 0x2 | 0x4 | flagDescriptor | 0x800 // two compression hints, descriptor, UTF-8 names

	extraZip64       = 0x0001
	extraUnicodePath = 0x7075
	extraAES         = 0x9901
)

var le = binary.LittleEndian

// readDirectory reads the end records and the central directory, which must reach exactly to them.
func readDirectory(src io.ReaderAt, size int64) (entries []Entry, start int64, err error) {
	if size < endSize {
		return nil, 0, limits.Refuse("zip", "%d bytes are no archive", size)
	}
	var end [endSize]byte
	if err := limits.ReadAt(src, end[:], size-endSize, "zip end record"); err != nil {
		return nil, 0, err
	}
	if string(end[:4]) != "PK\x05\x06" || le.Uint16(end[20:]) != 0 {
		return nil, 0, limits.Refuse("zip", "no end record in the last 22 bytes").WithHint("an archive with a comment, with bytes after it, or cut short is not read")
	}
	if le.Uint16(end[4:]) != 0 || le.Uint16(end[6:]) != 0 || le.Uint16(end[8:]) != le.Uint16(end[10:]) {
		return nil, 0, limits.Refuse("zip", "archive in several parts")
	}
	count, length, begin := uint64(le.Uint16(end[10:])), uint64(le.Uint32(end[12:])), uint64(le.Uint32(end[16:]))
	stop := size - endSize
	if stop >= locatorSize+end64Size {
		var tail [end64Size + locatorSize]byte
		if err := limits.ReadAt(src, tail[:], stop-int64(len(tail)), "zip64 end record"); err != nil {
			return nil, 0, err
		}
		if string(tail[end64Size:end64Size+4]) == "PK\x06\x07" {
			stop -= int64(len(tail))
			if count, length, begin, err = readEnd64(tail[:end64Size], tail[end64Size:], uint64(stop), count, length, begin); err != nil {
				return nil, 0, err
			}
		}
	}
	if begin > uint64(stop) || length != uint64(stop)-begin {
		return nil, 0, limits.Refuse("zip", "directory of %d bytes at byte %d does not end at the end record at byte %d", length, begin, stop)
	}
	if count > maxEntries {
		return nil, 0, limits.Refuse("zip", "%d entries, at most %d", count, maxEntries)
	}
	if count*46 > length {
		return nil, 0, limits.Refuse("zip", "%d entries in a directory of %d bytes", count, length)
	}
	r := limits.NewReader(io.NewSectionReader(src, int64(begin), int64(length)), int64(length))
	entries = make([]Entry, count)
	for i := range entries {
		if err := entries[i].readCentral(r); err != nil {
			return nil, 0, err
		}
	}
	if r.Remaining() != 0 {
		return nil, 0, limits.Refuse("zip", "%d bytes after the last directory entry", r.Remaining())
	}
	return entries, int64(begin), nil
}

// readEnd64 reads the zip64 end record, which stands at byte stop, just before its locator. The old record must agree or
// hold the mark that says "see zip64".
func readEnd64(end, locator []byte, stop, count, length, begin uint64) (count64, length64, begin64 uint64, err error) {
	if string(end[:4]) != "PK\x06\x06" || le.Uint64(end[4:]) != end64Size-12 || le.Uint64(locator[8:]) != stop {
		return 0, 0, 0, limits.Refuse("zip", "zip64 end record is not where its locator says")
	}
	if le.Uint32(locator[4:]) != 0 || le.Uint32(locator[16:]) > 1 || le.Uint32(end[16:]) != 0 || le.Uint32(end[20:]) != 0 || le.Uint64(end[24:]) != le.Uint64(end[32:]) {
		return 0, 0, 0, limits.Refuse("zip", "archive in several parts")
	}
	count64, length64, begin64 = le.Uint64(end[32:]), le.Uint64(end[40:]), le.Uint64(end[48:])
	if count != count64 && count != math.MaxUint16 || length != length64 && length != math.MaxUint32 || begin != begin64 && begin != math.MaxUint32 {
		return 0, 0, 0, limits.Refuse("zip", "the two end records differ")
	}
	return count64, length64, begin64, nil
}

// readCentral reads one directory entry.
func (e *Entry) readCentral(r *limits.Reader) error {
	h, err := r.Bytes(46, "zip directory")
	if err != nil {
		return err
	}
	if string(h[:4]) != "PK\x01\x02" {
		return limits.Refuse("zip directory", "no entry at its byte %d", r.Offset()-46)
	}
	name, err := r.String(uint64(le.Uint16(h[28:])), "zip entry name")
	if err != nil {
		return err
	}
	field := "zip entry " + limits.Name(name)
	extra, err := r.Bytes(uint64(le.Uint16(h[30:])), field)
	if err != nil {
		return err
	}
	if err := CheckName(name); err != nil {
		return err
	}
	e.Name, e.flags, e.crc = name, le.Uint16(h[8:]), le.Uint32(h[16:])
	if bad := e.flags &^ flagsAllowed; bad != 0 {
		return limits.Refuse(field, "flag bits 0x%x (encrypted, patched or masked)", bad)
	}
	switch method := le.Uint16(h[10:]); method {
	case 0:
	case 8:
		e.deflated = true
	default:
		return limits.Refuse(field, "compression method %d, only stored (0) and deflate (8) are read", method)
	}
	if le.Uint16(h[32:]) != 0 || le.Uint16(h[34:]) != 0 {
		return limits.Refuse(field, "has a comment or lies on another part")
	}
	values := []uint64{uint64(le.Uint32(h[24:])), uint64(le.Uint32(h[20:])), uint64(le.Uint32(h[42:]))}
	if err := resolve64(values, extra, field); err != nil {
		return err
	}
	for _, v := range values {
		if v > math.MaxInt64 {
			return limits.Refuse(field, "size or position %d", v)
		}
	}
	e.Size, e.packed, e.local = int64(values[0]), int64(values[1]), int64(values[2])
	if !e.deflated && e.Size != e.packed {
		return limits.Refuse(field, "stored, but %d bytes are declared for %d", e.Size, e.packed)
	}
	return nil
}

// CheckName wants a relative slash-separated path of plain components.
func CheckName(name string) error {
	bad := name == "" || len(name) > maxName || !utf8.ValidString(name) || strings.Contains(name, "\\") || strings.ContainsFunc(name, unicode.IsControl)
	for part := range strings.SplitSeq(name, "/") {
		bad = bad || part == "" || part == "." || part == ".."
	}
	if bad {
		return limits.Refuse("zip entry "+limits.Name(name), "the name is no plain relative path")
	}
	return nil
}

// resolve64 replaces values that hold the zip64 mark by those of the zip64 extra field, which must hold exactly them.
func resolve64(values []uint64, extra []byte, field string) error {
	var wide []byte
	for rest := extra; len(rest) > 0; {
		if len(rest) < 4 || int(le.Uint16(rest[2:])) > len(rest)-4 {
			return limits.Refuse(field, "extra field is longer than its space")
		}
		id, body := le.Uint16(rest), rest[4:4+le.Uint16(rest[2:])]
		rest = rest[4+len(body):]
		switch id {
		case extraZip64:
			if wide != nil {
				return limits.Refuse(field, "two zip64 fields")
			}
			wide = body
		case extraUnicodePath, extraAES:
			return limits.Refuse(field, "extra field 0x%x (second name, or encryption)", id)
		}
	}
	for i, v := range values {
		if v != math.MaxUint32 {
			continue
		}
		if len(wide) < 8 {
			return limits.Refuse(field, "zip64 size is missing")
		}
		values[i], wide = le.Uint64(wide), wide[8:]
	}
	if len(wide) > 0 {
		return limits.Refuse(field, "zip64 field of %d bytes too many", len(wide))
	}
	return nil
}

// checkLocal compares the local header with the directory and wants the content, with its descriptor if it has one, to
// end exactly at next.
func (e *Entry) checkLocal(src io.ReaderAt, next int64, field string) error {
	if next-e.local < localSize {
		return limits.Refuse(field, "%d bytes have no room for a local header", next-e.local)
	}
	h := make([]byte, localSize)
	if err := limits.ReadAt(src, h, e.local, field); err != nil {
		return err
	}
	if string(h[:4]) != "PK\x03\x04" {
		return limits.Refuse(field, "no local header at byte %d", e.local)
	}
	nameLen, extraLen := int64(le.Uint16(h[26:])), int64(le.Uint16(h[28:]))
	if e.data = e.local + localSize + nameLen + extraLen; e.data > next {
		return limits.Refuse(field, "local header reaches beyond the entry")
	}
	rest := make([]byte, nameLen+extraLen)
	if err := limits.ReadAt(src, rest, e.local+localSize, field); err != nil {
		return err
	}
	if name := string(rest[:nameLen]); name != e.Name {
		return limits.Refuse(field, "the local header calls it %s", limits.Name(name))
	}
	method := uint16(0)
	if e.deflated {
		method = 8
	}
	if le.Uint16(h[6:]) != e.flags || le.Uint16(h[8:]) != method {
		return limits.Refuse(field, "local header and directory differ in flags or method")
	}
	sizes := []uint64{uint64(le.Uint32(h[22:])), uint64(le.Uint32(h[18:]))}
	if err := resolve64(sizes, rest[nameLen:], field); err != nil {
		return err
	}
	later := e.flags&flagDescriptor != 0 // the values may be zero here and follow in the descriptor
	agrees := func(v, want uint64) bool { return v == want || later && v == 0 }
	if !agrees(uint64(le.Uint32(h[14:])), uint64(e.crc)) || !agrees(sizes[0], uint64(e.Size)) || !agrees(sizes[1], uint64(e.packed)) {
		return limits.Refuse(field, "local header and directory differ in CRC or size")
	}
	gap := next - e.data - e.packed
	if next-e.data < e.packed {
		return limits.Refuse(field, "%d bytes declared, %d are left before the next entry", e.packed, next-e.data)
	}
	if !later {
		if gap != 0 {
			return limits.Refuse(field, "%d bytes after it belong to no entry", gap)
		}
		return nil
	}
	return e.checkDescriptor(src, e.data+e.packed, gap, field)
}

// checkDescriptor compares the descriptor of gap bytes at off with the directory.
func (e *Entry) checkDescriptor(src io.ReaderAt, off, gap int64, field string) error {
	if gap != 12 && gap != 16 && gap != 20 && gap != 24 {
		return limits.Refuse(field, "%d bytes after it are no data descriptor", gap)
	}
	d := make([]byte, gap)
	if err := limits.ReadAt(src, d, off, field); err != nil {
		return err
	}
	if gap == 16 || gap == 24 {
		if string(d[:4]) != "PK\x07\x08" {
			return limits.Refuse(field, "%d bytes after it are no data descriptor", gap)
		}
		d = d[4:]
	}
	size := func(b []byte) uint64 {
		if len(d) == 20 {
			return le.Uint64(b)
		}
		return uint64(le.Uint32(b))
	}
	half := 4 + (len(d)-4)/2
	if le.Uint32(d) != e.crc || size(d[4:]) != uint64(e.packed) || size(d[half:]) != uint64(e.Size) {
		return limits.Refuse(field, "data descriptor and directory differ in CRC or size")
	}
	return nil
}
