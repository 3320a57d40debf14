package pickle

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"

	"graft/onnx/limits"
	"graft/onnx/strictzip/ziptest"
)

// The tests write pickles by hand, from these pieces.

func le32(n int) string { return string(binary.LittleEndian.AppendUint32(nil, uint32(n))) }
func le64(n uint64) string {
	return string(binary.LittleEndian.AppendUint64(nil, n))
}

const proto2 = "\x80\x02"

func integer64(n int64) string { return "\x8a\x08" + le64(uint64(n)) }
func str(s string) string      { return "X" + le32(len(s)) + s }
func tupleOf(items ...string) string {
	return "(" + strings.Join(items, "") + "t"
}
func integersOf(list ...int64) string {
	items := make([]string, len(list))
	for i, n := range list {
		items[i] = integer64(n)
	}
	return tupleOf(items...)
}
func globalOp(module, name string) string { return "c" + module + "\n" + name + "\n" }

// storageOp is a storage by its persistent id, in the form with as many parts as the zip form has.
func storageOp(class, key string, elements int64) string {
	return tupleOf(str("storage"), globalOp("torch", class), str(key), str("cpu"), integer64(elements)) + "Q"
}

// tensorOp is a tensor over a storage.
func tensorOp(storage string, offset int64, sizes, strides []int64) string {
	return globalOp("torch._utils", "_rebuild_tensor_v2") +
		tupleOf(storage, integer64(offset), integersOf(sizes...), integersOf(strides...), "\x89", globalOp("collections", "OrderedDict")+")R") + "R"
}

// dictOp is a dict of string keys and values in turn.
func dictOp(items ...string) string {
	out := "}("
	for i := 0; i < len(items); i += 2 {
		out += str(items[i]) + items[i+1]
	}
	return out + "u"
}

// data is n bytes 0, 1, 2, …
func data(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i)
	}
	return b
}

// zipForm is torch.save's archive around a pickle without its frame, and storages by key.
func zipForm(object string, storages ...[]byte) []byte {
	return ziptest.Build(zipFiles(object, storages...))
}

func zipFiles(object string, storages ...[]byte) []ziptest.File {
	files := []ziptest.File{{Name: "archive/data.pkl", Data: []byte(proto2 + object + ".")}, {Name: "archive/byteorder", Data: []byte("little")}}
	for i, b := range storages {
		files = append(files, ziptest.File{Name: fmt.Sprintf("archive/data/%d", i), Data: b})
	}
	return append(files, ziptest.File{Name: "archive/version", Data: []byte("3\n")})
}

const (
	magicPickle   = proto2 + "\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."
	versionPickle = proto2 + "M\xe9\x03."
)

var systemPickle = proto2 + dictOp("protocol_version", "M\xe9\x03", "little_endian", "\x88") + "."

// legacyForm is a file as PyTorch wrote before 1.6; each storage is an element count and bytes.
func legacyForm(object string, keys []string, storages ...string) []byte {
	list := "]("
	for _, k := range keys {
		list += str(k)
	}
	return []byte(magicPickle + versionPickle + systemPickle + proto2 + object + "." + proto2 + list + "e." + strings.Join(storages, ""))
}

// read reads b as a file.
func read(b []byte) (*File, error) { return Read(bytes.NewReader(b), int64(len(b)), "x.pt") }

// refused asserts that b is refused with exit code 3 and one clean line that holds want.
func refused(t *testing.T, b []byte, want string) {
	t.Helper()
	f, err := read(b)
	if err == nil {
		_, err = f.Tensors()
	}
	var in *limits.InputError
	switch {
	case err == nil:
		t.Fatalf("accepted; want an error with %q", want)
	case !errors.As(err, &in) || in.ExitCode() != 3:
		t.Fatalf("%v: no refusal of input", err)
	case !strings.HasPrefix(err.Error(), "x.pt: ") || !strings.Contains(err.Error(), want):
		t.Fatalf("%q: want %q in it", err, want)
	case strings.ContainsFunc(err.Error(), func(r rune) bool { return r < 0x20 || r == 0x7f || r == 0xfffd }) || len(err.Error()) > 1000:
		t.Fatalf("%q: not one clean line", err)
	}
}

// pickled is refused for a plain pickle without its frame.
func pickled(t *testing.T, body, want string) {
	t.Helper()
	refused(t, []byte(proto2+body+"."), want)
}
