package ziptest

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"hash/crc32"
	"slices"
)

var le = binary.LittleEndian

// File is a name and its content.
type File struct {
	Name string
	Data []byte
}

// Entry is everything that an archive says about one file; nothing in it needs to be true.
type Entry struct {
	Name, LocalName     string
	Raw                 []byte // as it stands in the archive
	Method              uint16
	Flags, LocalFlags   uint16
	CRC, LocalCRC       uint32
	Size, LocalSize     uint32
	Packed, LocalPacked uint32
	Offset              int64 // of the local header; -1: where it is
	Extra, LocalExtra   []byte
	Comment             string
	After               []byte // between the content and the next entry
	NoLocal             bool   // only a directory entry
}

// Plain is the stored entry of a file.
func Plain(f File) Entry {
	n, crc := uint32(len(f.Data)), crc32.ChecksumIEEE(f.Data)
	return Entry{Name: f.Name, LocalName: f.Name, Raw: f.Data, CRC: crc, LocalCRC: crc, Size: n, LocalSize: n, Packed: n, LocalPacked: n, Offset: -1}
}

// Deflated is the compressed entry of a file.
func Deflated(f File) Entry {
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, flate.BestCompression) // the level is valid
	w.Write(f.Data)
	w.Close()
	e := Plain(f)
	e.Method, e.Raw = 8, b.Bytes()
	e.Packed, e.LocalPacked = uint32(b.Len()), uint32(b.Len())
	return e
}

// Streamed is a stored entry as PyTorch writes it: no CRC and sizes in the local header but in a descriptor after the
// content.
func Streamed(f File) Entry {
	e := Plain(f)
	e.Flags, e.LocalFlags, e.LocalCRC, e.LocalSize, e.LocalPacked = 0x808, 0x808, 0, 0, 0
	d := append([]byte("PK\x07\x08"), le.AppendUint32(nil, e.CRC)...)
	e.After = le.AppendUint32(le.AppendUint32(d, e.Packed), e.Size)
	return e
}

// Archive is entries and the end of the file.
type Archive struct {
	Prefix    []byte
	Entries   []Entry
	BeforeDir []byte
	Count     int // added to the number of entries that the end records
	DirSize   int // added to the directory's size
	Zip64     bool
	Lie64     uint64 // added to the count in the zip64 end record only
	Comment   string
	Tail      []byte
}

// Bytes are the file.
func (a Archive) Bytes() []byte {
	out := slices.Clone(a.Prefix)
	offsets := make([]int64, len(a.Entries))
	for i, e := range a.Entries {
		if offsets[i] = int64(len(out)); e.Offset >= 0 {
			offsets[i] = e.Offset
		}
		if e.NoLocal {
			continue
		}
		out = append(out, "PK\x03\x04\x14\x00"...)
		out = le.AppendUint16(le.AppendUint16(out, e.LocalFlags), e.Method)
		out = append(out, 0, 0, 0x21, 0)
		out = le.AppendUint32(le.AppendUint32(le.AppendUint32(out, e.LocalCRC), e.LocalPacked), e.LocalSize)
		out = le.AppendUint16(le.AppendUint16(out, uint16(len(e.LocalName))), uint16(len(e.LocalExtra)))
		out = append(append(append(append(out, e.LocalName...), e.LocalExtra...), e.Raw...), e.After...)
	}
	out = append(out, a.BeforeDir...)
	start := len(out)
	for i, e := range a.Entries {
		out = append(out, "PK\x01\x02\x14\x00\x14\x00"...)
		out = le.AppendUint16(le.AppendUint16(out, e.Flags), e.Method)
		out = append(out, 0, 0, 0x21, 0)
		out = le.AppendUint32(le.AppendUint32(le.AppendUint32(out, e.CRC), e.Packed), e.Size)
		out = le.AppendUint16(le.AppendUint16(le.AppendUint16(out, uint16(len(e.Name))), uint16(len(e.Extra))), uint16(len(e.Comment)))
		out = append(out, make([]byte, 8)...)
		out = le.AppendUint32(out, uint32(offsets[i]))
		out = append(append(append(out, e.Name...), e.Extra...), e.Comment...)
	}
	count, size := len(a.Entries)+a.Count, len(out)-start+a.DirSize
	if a.Zip64 {
		end := len(out)
		out = append(out, "PK\x06\x06"...)
		out = le.AppendUint64(out, 44)
		out = append(out, 45, 0, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0)
		out = le.AppendUint64(le.AppendUint64(out, uint64(count)+a.Lie64), uint64(count)+a.Lie64)
		out = le.AppendUint64(le.AppendUint64(out, uint64(size)), uint64(start))
		out = append(out, "PK\x06\x07\x00\x00\x00\x00"...)
		out = append(le.AppendUint64(out, uint64(end)), 1, 0, 0, 0)
	}
	out = append(out, "PK\x05\x06\x00\x00\x00\x00"...)
	out = le.AppendUint16(le.AppendUint16(out, uint16(count)), uint16(count))
	out = le.AppendUint32(le.AppendUint32(out, uint32(size)), uint32(start))
	out = append(le.AppendUint16(out, uint16(len(a.Comment))), a.Comment...)
	return append(out, a.Tail...)
}

// Build is the archive of files, stored.
func Build(files []File) []byte {
	a := Archive{}
	for _, f := range files {
		a.Entries = append(a.Entries, Plain(f))
	}
	return a.Bytes()
}
