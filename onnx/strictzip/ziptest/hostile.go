package ziptest

import (
	"strings"

	"graft/onnx/limits/limitstest"
)

// Hostile are the attacks on an archive of files, of which there must be at least two: P19 to P26.
func Hostile(files []File) []limitstest.Case {
	var cases []limitstest.Case
	base := func() Archive {
		a := Archive{}
		for _, f := range files {
			a.Entries = append(a.Entries, Plain(f))
		}
		return a
	}
	add := func(id, what, want string, change func(a *Archive)) {
		a := base()
		change(&a)
		cases = append(cases, limitstest.Case{ID: id, What: what, Bytes: a.Bytes(), Want: want})
	}
	first := func(id, what, want string, change func(e *Entry)) {
		add(id, what, want, func(a *Archive) { change(&a.Entries[0]) })
	}
	for _, bit := range []uint16{0x1, 0x20, 0x40, 0x2000} {
		first("P19", "flag bit in both headers", "flag bits", func(e *Entry) { e.Flags, e.LocalFlags = bit, bit })
		first("P19", "flag bit in the directory", "flag bits", func(e *Entry) { e.Flags = bit })
		first("P19", "flag bit in the local header", "differ in flags", func(e *Entry) { e.LocalFlags = bit })
	}
	first("P20", "other local name", "the local header calls it", func(e *Entry) { e.LocalName = "x" + e.Name[1:] })
	first("P20", "shorter local name", "the local header calls it", func(e *Entry) { e.LocalName = e.Name[1:] })
	first("P20", "second name in an extra field", "second name", func(e *Entry) { e.Extra = []byte("\x75\x70\x01\x00x") })
	first("P21", "wrong CRC in both", "CRC", func(e *Entry) { e.CRC ^= 1; e.LocalCRC ^= 1 })
	first("P21", "wrong CRC in the directory", "differ in CRC", func(e *Entry) { e.CRC ^= 1 })
	first("P21", "wrong CRC in the local header", "differ in CRC", func(e *Entry) { e.LocalCRC ^= 1 })
	add("P22", "name twice", "twice", func(a *Archive) { a.Entries = append(a.Entries, a.Entries[0]) })
	add("P23", "two names for one content", "", func(a *Archive) {
		e := a.Entries[0]
		e.Name, e.NoLocal, e.Offset = "other", true, 0
		a.Entries = append(a.Entries, e)
	})
	add("P23", "content reaching over the next entry", "are left before the next entry", func(a *Archive) {
		e := &a.Entries[0]
		e.Size, e.LocalSize, e.Packed, e.LocalPacked = e.Size+60, e.LocalSize+60, e.Packed+60, e.LocalPacked+60
	})
	add("P23", "ratio", "ratio is above", func(a *Archive) {
		e := Deflated(File{files[0].Name, files[0].Data})
		e.Size, e.LocalSize = 1<<31, 1<<31
		a.Entries[0] = e
	})
	bomb := Deflated(File{"bomb", make([]byte, 1<<20)})
	add("P23", "overlap bomb", "", func(a *Archive) {
		a.Entries = []Entry{bomb}
		for i := range 5000 {
			e := bomb
			e.Name, e.NoLocal, e.Offset = "b"+strings.Repeat("x", i%50)+string(rune('a'+i%26)), true, 0
			a.Entries = append(a.Entries, e)
		}
	})
	for _, name := range []string{"../x", "/x", "a\\b", "a\x00b", "a/../b", "", "a//b", "a/", "./a", "\xff", "\x1b[2J"} {
		first("P24", "name", "no plain relative path", func(e *Entry) { e.Name, e.LocalName = name, name })
	}
	first("P25", "more declared than there is", "", func(e *Entry) {
		e.Size, e.LocalSize, e.Packed, e.LocalPacked = 1<<30, 1<<30, 1<<30, 1<<30
	})
	first("P25", "less declared than there is", "belong to no entry", func(e *Entry) {
		e.Size, e.LocalSize, e.Packed, e.LocalPacked = e.Size-1, e.Size-1, e.Size-1, e.Size-1
	})
	first("P25", "stored with two sizes", "stored, but", func(e *Entry) { e.Size++; e.LocalSize++ })
	first("P25", "sizes differ between headers", "differ in CRC or size", func(e *Entry) { e.LocalSize++ })
	first("P25", "zip64 mark without a field", "zip64", func(e *Entry) { e.Size = 1<<32 - 1 })
	first("P25", "zip64 size of 2^63", "size or position", func(e *Entry) {
		e.Size, e.Packed = 1<<32-1, 1<<32-1
		e.Extra = append([]byte("\x01\x00\x10\x00"), le.AppendUint64(le.AppendUint64(nil, 1<<63), 1<<63)...)
	})
	first("P25", "zip64 field that nothing asks for", "too many", func(e *Entry) {
		e.Extra = append([]byte("\x01\x00\x08\x00"), le.AppendUint64(nil, 7)...)
	})
	first("P25", "extra field beyond its space", "longer than its space", func(e *Entry) { e.Extra = []byte("\x01\x00\xff\xff") })
	add("P25", "zip64 end with another count", "zip64 end record|end records differ", func(a *Archive) { a.Zip64, a.Lie64 = true, 1 })
	add("P25", "a million entries", "at most", func(a *Archive) { a.Zip64, a.Count, a.Lie64 = true, 65535-len(a.Entries), 1_000_000 })
	add("P25", "count above the directory's size", "entries in a directory of", func(a *Archive) { a.Count = 60_000 })
	add("P25", "count below", "after the last directory entry", func(a *Archive) { a.Count = -1 })
	add("P25", "prefix", "ends at byte 0", func(a *Archive) { a.Prefix = []byte("#!/bin/sh\n") })
	add("P25", "gap before the directory", "belong to no entry", func(a *Archive) { a.BeforeDir = []byte("hidden") })
	add("P25", "directory size", "does not end at the end record", func(a *Archive) { a.DirSize = 1 })
	add("P25", "comment", "no end record", func(a *Archive) { a.Comment = "hello" })
	add("P25", "second end record in the comment", "", func(a *Archive) {
		b := base().Bytes()
		a.Comment = string(b[len(b)-22:])
	})
	add("P25", "bytes after the end", "no end record", func(a *Archive) { a.Tail = []byte{0} })
	hidden := func(a *Archive, header []byte) { // a local header that no entry of ours writes
		e := Plain(File{Name: "hidden"})
		e.NoLocal, e.Offset = true, int64(localEnd(a))
		a.Entries, a.BeforeDir = append(a.Entries, e), header
	}
	add("P25", "no room for a local header", "have no room for a local header", func(a *Archive) { hidden(a, []byte("PK\x03\x04")) })
	add("P25", "local header beyond its room", "local header reaches beyond the entry", func(a *Archive) {
		hidden(a, append([]byte("PK\x03\x04\x14\x00"), append(make([]byte, 20), 0xe8, 3, 0, 0)...))
	})
	add("P25", "entries that unpack to too much", "inflated bytes", func(a *Archive) {
		e := Plain(File{Name: "large", Data: make([]byte, 300_000)})
		e.Method, e.Size, e.LocalSize = 8, 315_000_000, 315_000_000 // a ratio that deflate nearly reaches
		a.Entries = append(a.Entries, e)
	})
	first("P25", "comment of an entry", "has a comment", func(e *Entry) { e.Comment = "x" })
	first("P26", "AES field", "encryption", func(e *Entry) { e.Extra = []byte("\x01\x99\x00\x00") })
	for _, method := range []uint16{1, 9, 12, 14, 93, 99} {
		first("P26", "method", "compression method", func(e *Entry) { e.Method = method })
	}
	damaged := Deflated(files[0])
	first("P26", "deflate that is none", "packed stream", func(e *Entry) { // a block of the reserved kind
		*e = damaged
		e.Raw = append([]byte{0x07}, damaged.Raw[1:]...)
	})
	first("P26", "deflate with bytes after it", "after the end of the packed stream", func(e *Entry) {
		*e = damaged
		e.Raw = append(append([]byte{}, damaged.Raw...), 0)
		e.Packed, e.LocalPacked = e.Packed+1, e.Packed+1
	})
	first("P26", "deflate of more than declared", "has more", func(e *Entry) { *e = damaged; e.Size--; e.LocalSize-- })
	first("P26", "deflate of less than declared", "the packed stream has", func(e *Entry) { *e = damaged; e.Size++; e.LocalSize++ })
	return append(cases, limitstest.Case{ID: "P25", What: "less than an end record", Bytes: []byte("PK\x05\x06"), Want: "4 bytes are no archive"})
}

// localEnd is where the entries of a end.
func localEnd(a *Archive) int {
	n := len(a.Prefix)
	for _, e := range a.Entries {
		n += 30 + len(e.LocalName) + len(e.LocalExtra) + len(e.Raw) + len(e.After)
	}
	return n
}
