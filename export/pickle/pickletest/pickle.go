package pickletest

import (
	"encoding/binary"
	"fmt"
	"strings"

	"graft/onnx/strictzip/ziptest"
)

// LE32 is a little-endian number of four bytes.
func LE32(n int) string { return string(binary.LittleEndian.AppendUint32(nil, uint32(n))) }

// LE64 is a little-endian number of eight bytes.
func LE64(n uint64) string { return string(binary.LittleEndian.AppendUint64(nil, n)) }

// Proto2 begins a pickle.
const Proto2 = "\x80\x02"

// Integer pushes n.
func Integer(n int64) string { return "\x8a\x08" + LE64(uint64(n)) }

// Str pushes s.
func Str(s string) string { return "X" + LE32(len(s)) + s }

// Tuple pushes a tuple of what items push.
func Tuple(items ...string) string { return "(" + strings.Join(items, "") + "t" }

// Integers pushes a tuple of numbers.
func Integers(list ...int64) string {
	items := make([]string, len(list))
	for i, n := range list {
		items[i] = Integer(n)
	}
	return Tuple(items...)
}

// Global pushes what a module has under a name.
func Global(module, name string) string { return "c" + module + "\n" + name + "\n" }

// Storage pushes a storage by its persistent id, in the form with as many parts as the zip form has.
func Storage(class, key string, elements int64) string {
	return Tuple(Str("storage"), Global("torch", class), Str(key), Str("cpu"), Integer(elements)) + "Q"
}

// Tensor pushes a tensor over a storage.
func Tensor(storage string, offset int64, sizes, strides []int64) string {
	return Global("torch._utils", "_rebuild_tensor_v2") +
		Tuple(storage, Integer(offset), Integers(sizes...), Integers(strides...), "\x89", Global("collections", "OrderedDict")+")R") + "R"
}

// Dict pushes a dict of string keys and values in turn.
func Dict(items ...string) string {
	out := "}("
	for i := 0; i < len(items); i += 2 {
		out += Str(items[i]) + items[i+1]
	}
	return out + "u"
}

// Data is n bytes 0, 1, 2, …
func Data(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i)
	}
	return b
}

// Plain is a pickle without an archive around it.
func Plain(object string) []byte { return []byte(Proto2 + object + ".") }

// Zip is torch.save's archive around a pickle without its frame, and storages by key.
func Zip(object string, storages ...[]byte) []byte {
	return ziptest.Build(ZipFiles(object, storages...))
}

// ZipFiles are the files of Zip's archive.
func ZipFiles(object string, storages ...[]byte) []ziptest.File {
	files := []ziptest.File{{Name: "archive/data.pkl", Data: Plain(object)}, {Name: "archive/byteorder", Data: []byte("little")}}
	for i, b := range storages {
		files = append(files, ziptest.File{Name: fmt.Sprintf("archive/data/%d", i), Data: b})
	}
	return append(files, ziptest.File{Name: "archive/version", Data: []byte("3\n")})
}

// Magic and Version are the first pickles of a file as PyTorch wrote before 1.6, System is the third.
const (
	Magic   = Proto2 + "\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."
	Version = Proto2 + "M\xe9\x03."
)

// System says that numbers are little endian.
func System() string {
	return Proto2 + Dict("protocol_version", "M\xe9\x03", "little_endian", "\x88") + "."
}

// Legacy is a file as PyTorch wrote before 1.6; each storage is an element count and bytes.
func Legacy(object string, keys []string, storages ...string) []byte {
	list := "]("
	for _, k := range keys {
		list += Str(k)
	}
	return []byte(Magic + Version + System() + Proto2 + object + "." + Proto2 + list + "e." + strings.Join(storages, ""))
}

// LegacyStorages makes storages of the zip form into those of the legacy form, whose ids have one part more.
func LegacyStorages(object string) string { return strings.ReplaceAll(object, "tQ", "NtQ") }
