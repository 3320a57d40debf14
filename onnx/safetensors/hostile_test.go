package safetensors

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"graft/onnx"
	"graft/onnx/limits"
	"graft/onnx/limits/limitstest"
	"graft/onnx/safetensors/safetensorstest"
)

// The pieces that the tests write files from.
var (
	file = safetensorstest.File
	one  = safetensorstest.One
	two  = safetensorstest.Two
)

// refused wants b to be refused.
func refused(t testing.TB, b []byte, want string) {
	t.Helper()
	_, _, err := Decode(b, "x.safetensors")
	limitstest.Refused(t, err, "x.safetensors", want)
}

// The same files that verbs are tested with.
func TestHostileFiles(t *testing.T) {
	for _, c := range safetensorstest.Hostile() {
		t.Run(c.Name(), func(t *testing.T) { refused(t, c.Bytes, c.Want) })
	}
}

func TestHostileS01HeaderLength(t *testing.T) {
	for _, n := range []uint64{1 << 62, 100_000_001, 1<<64 - 1} {
		refused(t, append(binary.LittleEndian.AppendUint64(nil, n), "{}"...), "at most 100000000")
	}
	refused(t, append(binary.LittleEndian.AppendUint64(nil, 3), "{}"...), "3 bytes declared at byte 8, 2 left")
	for n := range 8 {
		refused(t, make([]byte, n), "header length")
	}
}

func TestHostileS02HeaderText(t *testing.T) {
	refused(t, file("", 0), "'{'")
	refused(t, file(" {}", 0), "'{'")
	refused(t, file("[]", 0), "'{'")
	refused(t, file("{}x", 0), "1 bytes after the JSON")
	refused(t, file("{}{}", 0), "2 bytes after the JSON")
	refused(t, file("{}\x00", 0), "1 bytes after the JSON")
	refused(t, file("{\"\xff\":1}", 0), "not UTF-8")
	for _, s := range []string{"{", `{"`, `{"a`, `{"a"`, `{"a":`, `{"a":{`, `{"a":{}`, `{,}`, `{"a":{},}`, `{"\`, `{"\u12`, `{"\ud800"`, "{\"a\nb\":1}", `{'a':1}`, `{"__metadata__":{}`} {
		refused(t, file(s, 0), "")
	}
	if _, _, err := Decode(file("{}   ", 0), "x"); err != nil {
		t.Fatal(err)
	}
}

func TestHostileS03DuplicateTensor(t *testing.T) {
	w := `"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}`
	refused(t, file("{"+w+","+w+"}", 1), `key "w" twice`)
	refused(t, file(`{`+w+`,"\u0077":{"dtype":"U8","shape":[0],"data_offsets":[1,1]}}`, 1), `key "w" twice`)
	refused(t, file(`{"__metadata__":{},"__metadata__":{}}`, 0), "twice")
	refused(t, file(`{"__metadata__":{"a":"1","a":"2"}}`, 0), "twice")
}

func TestHostileS04CaseFolding(t *testing.T) {
	refused(t, one(`"dtype":"F32","DTYPE":"I8","shape":[1],"data_offsets":[0,4]`, 4), `unknown key "DTYPE"`)
	refused(t, one(`"dtype":"F32","dtype":"I8","shape":[1],"data_offsets":[0,4]`, 4), "dtype twice")
	refused(t, one(`"dtype":"F32","shape":[1],"shape":[1],"data_offsets":[0,4]`, 4), "shape twice")
	refused(t, one(`"dtype":"F32","\u017fhape":[1],"data_offsets":[0,4]`, 4), "unknown key")
	refused(t, one(`"dtype":"F32","shape":[1]`, 4), "needs dtype")
	refused(t, one(`"dtype":"f32","shape":[1],"data_offsets":[0,4]`, 4), `"f32" is not known`)
}

func TestHostileS05InvalidUTF8Names(t *testing.T) {
	empty := `{"dtype":"U8","shape":[0],"data_offsets":[0,0]}`
	refused(t, file("{\"a\xfe\":"+empty+",\"a\xff\":"+empty+"}", 0), "not UTF-8")
	refused(t, file(`{"a\ud800":`+empty+`,"a\udfff":`+empty+"}", 0), `\u escape`)
	refused(t, file("{\"a\\n\xff\":"+empty+"}", 0), "not UTF-8")
}

func TestHostileS06Overlap(t *testing.T) {
	refused(t, two("[0,4]", "[3,7]", 8), "overlaps")
	refused(t, two("[0,4]", "[0,4]", 4), "overlaps")
	refused(t, two("[4,8]", "[2,6]", 8), "hole")
}

func TestHostileS07Hole(t *testing.T) {
	refused(t, two("[0,4]", "[5,9]", 9), "hole")
	refused(t, two("[1,5]", "[5,9]", 9), "hole")
}

func TestHostileS08TrailingData(t *testing.T) {
	refused(t, two("[0,4]", "[4,8]", 9), "tensors take 8 bytes, the file has 9")
	refused(t, file("{}", 1), "tensors take 0 bytes")
	refused(t, append(two("[0,4]", "[4,8]", 8), "PK\x05\x06"...), "the file has 12")
}

func TestHostileS09Offsets(t *testing.T) {
	for offsets, want := range map[string]string{
		"[4,0]": "before they begin", "[-1,3]": "non-negative", "[0,1e3]": "non-negative", "[0,4.0]": "non-negative",
		"[0,18446744073709551615]": "2^53", "[0,9007199254740993]": "2^53", "[0,04]": "leading zero", "[0]": "two data_offsets",
		"[0,4,4]": "more than 2", `["0","4"]`: "non-negative", "4": "expected", "[0,]": "non-negative", "[0,+4]": "non-negative",
		"[0,99999999999999999999999999999]": "2^53", "[9007199254740988,9007199254740992]": "hole",
	} {
		refused(t, one(`"dtype":"U8","shape":[4],"data_offsets":`+offsets, 4), want)
	}
}

func TestHostileS10ShapeAndSize(t *testing.T) {
	refused(t, one(`"dtype":"F32","shape":[2],"data_offsets":[0,4]`, 4), "takes 8 bytes, data_offsets give 4")
	refused(t, one(`"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,4]`, 4), "no size")
	refused(t, one(`"dtype":"U8","shape":[4503599627370496,4096],"data_offsets":[0,0]`, 0), "no size")
	refused(t, one(`"dtype":"U8","shape":[0,4503599627370496,4096],"data_offsets":[0,0]`, 0), "no size")
	refused(t, one(`"dtype":"U8","shape":[-1,-4],"data_offsets":[0,4]`, 4), "non-negative")
	refused(t, one(`"dtype":"U8","shape":[[4]],"data_offsets":[0,4]`, 4), "non-negative")
	refused(t, one(`"dtype":"U8","shape":[`+strings.Repeat("1,", 1024)+`1],"data_offsets":[0,1]`, 1), "more than 1024")
}

func TestBoolIsZeroOrOne(t *testing.T) {
	b := one(`"dtype":"BOOL","shape":[3],"data_offsets":[0,3]`, 3)
	b[len(b)-1] = 2
	refused(t, b, "bool element 2 is 2")
}

func TestHostileS11UnknownDType(t *testing.T) {
	refused(t, one(`"dtype":"Q9","shape":[1],"data_offsets":[0,9007199254740992]`, 4), `"Q9" is not known`)
	refused(t, one(`"dtype":"F6_E2M3","shape":[4],"data_offsets":[0,3]`, 3), `"F6_E2M3" is not known`)
	refused(t, one(`"dtype":"","shape":[1],"data_offsets":[0,1]`, 1), `"" is not known`)
	refused(t, one(`"dtype":1,"shape":[1],"data_offsets":[0,1]`, 1), "string was expected")
}

func TestHostileS12SubByte(t *testing.T) {
	refused(t, one(`"dtype":"F4","shape":[3],"data_offsets":[0,2]`, 2), "no size in whole bytes")
	refused(t, one(`"dtype":"F4","shape":[3],"data_offsets":[0,1]`, 1), "no size in whole bytes")
	if list, _, err := Decode(one(`"dtype":"F4","shape":[3,2],"data_offsets":[0,3]`, 3), "x"); err != nil || list[0].DType != onnx.Float4E2M1 {
		t.Fatal(err)
	}
}

func TestHostileS13Metadata(t *testing.T) {
	refused(t, file(`{"__metadata__":{"a":1}}`, 0), "not a string")
	refused(t, file(`{"__metadata__":{"a":null}}`, 0), "not a string")
	refused(t, file(`{"__metadata__":["a"]}`, 0), "expected")
	refused(t, file(`{"__metadata__":`+strings.Repeat(`{"a":`, 20_000)+`"x"`+strings.Repeat("}", 20_001), 0), "not a string")
	refused(t, file(`{"w":`+strings.Repeat("[", 20_000), 0), "expected")
	refused(t, one(`"dtype":"U8","data_offsets":[0,0],"shape":`+strings.Repeat("[", 20_000), 0), "non-negative")
}

func TestHostileS14Names(t *testing.T) {
	empty := `:{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}`
	refused(t, file(`{"`+strings.Repeat("a", 1<<20)+`"`+empty, 0), "1048576 bytes, at most 4096")
	refused(t, file(`{"\u001b[2J"`+empty, 0), `"\x1b[2J"`)
	refused(t, file(`{"a\u0000b"`+empty, 0), `"a\x00b"`)
	refused(t, file(`{"<b>\u202e":{}}`, 0), `"<b>\u202e"`)
	// A name that looks like a path is a name: it comes back as it is, and no reader opens it.
	list, _, err := Decode(file(`{"../x"`+empty, 0), "x")
	if err != nil || list[0].Name != "../x" {
		t.Fatalf("%v %v", list, err)
	}
}

func TestHostileS16TruncatedAfterOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "w.safetensors")
	b, err := Encode([]*onnx.Tensor{named("w", onnx.NewTensor(onnx.Float, 1000))}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := os.Truncate(path, 100); err != nil {
		t.Fatal(err)
	}
	_, err = f.Tensor("w")
	var in *limits.InputError
	if !errors.As(err, &in) || !strings.Contains(err.Error(), "file ends at byte 100") {
		t.Fatal(err)
	}
	for n := range len(b) { // and every prefix is refused
		if n%97 == 0 || n < 100 {
			if _, _, err := Decode(bytes.Clone(b[:n]), "x"); err == nil {
				t.Fatalf("prefix of %d bytes accepted", n)
			}
		}
	}
}
