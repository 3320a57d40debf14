package pickle

import (
	"bytes"
	"testing"

	"graft/export/pickle/pickletest"
	"graft/onnx/limits/limitstest"
)

// The pieces that the tests write pickles from.
var (
	le32       = pickletest.LE32
	le64       = pickletest.LE64
	str        = pickletest.Str
	tupleOf    = pickletest.Tuple
	globalOp   = pickletest.Global
	storageOp  = pickletest.Storage
	tensorOp   = pickletest.Tensor
	dictOp     = pickletest.Dict
	data       = pickletest.Data
	zipForm    = pickletest.Zip
	zipFiles   = pickletest.ZipFiles
	legacyForm = pickletest.Legacy
)

const (
	proto2        = pickletest.Proto2
	magicPickle   = pickletest.Magic
	versionPickle = pickletest.Version
)

var systemPickle = pickletest.System()

// read reads b as a file.
func read(b []byte) (*File, error) { return Read(bytes.NewReader(b), int64(len(b)), "x.pt") }

// refused wants b to be refused.
func refused(t testing.TB, b []byte, want string) {
	t.Helper()
	f, err := read(b)
	if err == nil {
		_, err = f.Tensors()
	}
	limitstest.Refused(t, err, "x.pt", want)
}

// pickled is refused for a plain pickle without its frame.
func pickled(t *testing.T, body, want string) {
	t.Helper()
	refused(t, []byte(proto2+body+"."), want)
}

// The same files that verbs are tested with.
func TestHostileFiles(t *testing.T) {
	for _, c := range pickletest.Hostile() {
		t.Run(c.Name(), func(t *testing.T) { refused(t, c.Bytes, c.Want) })
	}
}
