package datasettest

import (
	"encoding/binary"
	"fmt"
	"strings"

	"graft/onnx/limits/limitstest"
	"graft/onnx/strictzip/ziptest"
)

// NpyFile is a .npy file of version 1 with the given header text and data.
func NpyFile(header string, data []byte) []byte {
	b := append([]byte("\x93NUMPY\x01\x00"), binary.LittleEndian.AppendUint16(nil, uint16(len(header)))...)
	return append(append(b, header...), data...)
}

// NpyOf is a .npy file of the given entries, as they stand in the header: "'<f4'", "(2,)".
func NpyOf(descr, shape string, data []byte) []byte { return npy(descr, "False", shape, data) }

func npy(descr, fortran, shape string, data []byte) []byte {
	return NpyFile("{'descr': "+descr+", 'fortran_order': "+fortran+", 'shape': "+shape+", }\n", data)
}

// HostileNpy are some of each family of attacks on an array: N01 to N07, and N10.
func HostileNpy() []limitstest.Case {
	var cases []limitstest.Case
	add := func(id, what, want string, data []byte) {
		cases = append(cases, limitstest.Case{ID: id, What: what, Bytes: data, Want: want})
	}
	for shape, want := range map[string]string{"(1152921504606846976,)": "overflows", "(1099511627776,)": "takes 4398046511104 bytes, 0 are there",
		"(4294967296, 4294967296)": "overflows", "(99999999999999999999,)": "above 2^63"} {
		add("N01", shape, want, NpyOf("'<f4'", shape, nil))
	}
	for _, shape := range []string{"(-1,)", "(1.0,)", "((1,),)", "(1)", "(None,)", "(" + strings.Repeat("1,", 65) + ")"} {
		add("N02", shape[:min(len(shape), 10)], "npy header", NpyOf("'|u1'", shape, []byte{0}))
	}
	for version := 2; version <= 3; version++ {
		add("N03", fmt.Sprintf("version %d", version), "4294967295 bytes declared, at most 65536", []byte("\x93NUMPY"+string(rune(version))+"\x00\xff\xff\xff\xff{}"))
	}
	add("N03", "version 1", "65535 bytes declared at byte 10", []byte("\x93NUMPY\x01\x00\xff\xff{}"))
	for descr, want := range map[string]string{"'|O'": "pickled code", "'|V8'": "raw bytes", "'<U4'": "is text", "[('a', '<f4')]": "structured",
		"'<M8[ns]'": "time", "'<f16'": "not known"} {
		add("N04", descr, want, NpyOf(descr, "(1,)", make([]byte, 4)))
	}
	for _, header := range []string{"__import__('os').system('x')", "{'descr': '<f4', 'fortran_order': False, 'shape': tuple(i for i in range(3))}",
		strings.Repeat("(", 10_000), "{'shape': " + strings.Repeat("(", 10_000), "{'\x1b[2J': 1}"} {
		add("N05", fmt.Sprintf("%.20q", header), "npy header", NpyFile(header, make([]byte, 4)))
	}
	add("N06", "one byte less", "takes 6 bytes, 5 are there", npy("'|u1'", "True", "(2, 3)", make([]byte, 5)))
	add("N06", "one byte more", "takes 6 bytes, 7 are there", npy("'|u1'", "True", "(2, 3)", make([]byte, 7)))
	whole := NpyOf("'<f4'", "(3,)", make([]byte, 12))
	add("N07", "in the data", "takes 12 bytes, 11 are there", whole[:len(whole)-1])
	add("N07", "in the header", "bytes declared", whole[:40])
	add("N07", "in its length", "npy header length", whole[:9])
	add("N10", "too many", "takes 8 bytes", NpyOf("'<f4'", "(2,)", make([]byte, 16)))
	add("N10", "none", "takes 4 bytes", NpyOf("'<f4'", "()", nil))
	return cases
}

// Npz are two arrays of 100 float32 as the files of an archive.
func Npz() []ziptest.File {
	data := NpyOf("'<f4'", "(100,)", make([]byte, 400))
	return []ziptest.File{{Name: "first.npy", Data: data}, {Name: "second.npy", Data: data}}
}

// HostileNpz are attacks on an archive of arrays: N08, which are P19 to P26, and N09 and N10.
func HostileNpz() []limitstest.Case {
	cases := ziptest.Hostile(Npz())
	for i := range cases {
		cases[i].ID, cases[i].What = "N08", cases[i].ID+" "+cases[i].What
		if cases[i].What == "P25 prefix" { // what does not begin as a zip is none
			cases[i].Want = ""
		}
	}
	add := func(id, what, want string, change func([]ziptest.File)) {
		files := Npz()
		change(files)
		cases = append(cases, limitstest.Case{ID: id, What: what, Bytes: ziptest.Build(files), Want: want})
	}
	add("N08", "P26 zip in a zip", "npy header", func(f []ziptest.File) { f[0].Data = ziptest.Build(f) })
	for _, name := range []string{"first", "first.npy.exe", "../a.npy", "/a.npy", "a\\b.npy", "first.npy/", "data.pkl"} {
		add("N09", name, "zip entry", func(f []ziptest.File) { f[0].Name = name })
	}
	add("N10", "in an archive", "399 are there", func(f []ziptest.File) { f[1].Data = f[1].Data[:len(f[1].Data)-1] })
	return cases
}
