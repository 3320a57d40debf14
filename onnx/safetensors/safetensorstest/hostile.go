package safetensorstest

import (
	"strconv"
	"strings"
	"sync"

	"graft/onnx/limits/limitstest"
)

// Hostile are some of each family of attacks, S01 to S14. S15, files that name others, are in Indexes.
func Hostile() []limitstest.Case {
	var cases []limitstest.Case
	add := func(id, what, want string, data []byte) {
		cases = append(cases, limitstest.Case{ID: id, What: what, Bytes: data, Want: want})
	}
	text := func(id, what, want, json string) { add(id, what, want, File(json, 0)) }
	one := func(id, what, want, members string, data int) { add(id, what, want, One(members, data)) }
	const unfit = `"dtype":"U8","shape":[4],"data_offsets":`
	empty := `{"dtype":"U8","shape":[0],"data_offsets":[0,0]}`

	add("S01", "2^62", "at most 100000000|is no .npy", append(Length(1<<62), "{}"...))
	add("S01", "a byte above the limit", "at most 100000000|is no .npy", append(Length(100_000_001), "{}"...))
	add("S01", "beyond the file", "3 bytes declared|is no .npy", append(Length(3), "{}"...))
	text("S02", "no bytes", "'{'|is no .npy", "")
	text("S02", "not UTF-8", "not UTF-8", "{\"\xff\":1}")
	text("S02", "begins with [", "'{'|is no .npy", "[]")
	text("S02", "bytes behind the JSON", "2 bytes after the JSON", "{}{}")
	w := `"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}`
	add("S03", "name twice", `key "w" twice`, File("{"+w+","+w+"}", 1))
	add("S03", "name twice, once escaped", `key "w" twice`, File(`{`+w+`,"\u0077":{"dtype":"U8","shape":[0],"data_offsets":[1,1]}}`, 1))
	one("S04", "dtype and DTYPE", `unknown key "DTYPE"`, `"dtype":"F32","DTYPE":"I8","shape":[1],"data_offsets":[0,4]`, 4)
	one("S04", "dtype twice", "dtype twice", `"dtype":"F32","dtype":"I8","shape":[1],"data_offsets":[0,4]`, 4)
	text("S05", "names that become equal", "not UTF-8", "{\"a\xfe\":"+empty+",\"a\xff\":"+empty+"}")
	text("S05", "surrogates that become equal", `\u escape`, `{"a\ud800":`+empty+`,"a\udfff":`+empty+"}")
	add("S06", "overlap", "overlaps", Two("[0,4]", "[3,7]", 8))
	add("S06", "same bytes", "overlaps", Two("[0,4]", "[0,4]", 4))
	add("S07", "hole", "hole", Two("[0,4]", "[5,9]", 9))
	add("S07", "hole in front", "hole", Two("[1,5]", "[5,9]", 9))
	add("S08", "a byte", "tensors take 8 bytes, the file has 9", Two("[0,4]", "[4,8]", 9))
	add("S08", "a zip", "the file has 12", append(Two("[0,4]", "[4,8]", 8), "PK\x05\x06"...))
	for offsets, want := range map[string]string{"[4,0]": "before they begin", "[-1,3]": "non-negative", "[0,1e3]": "non-negative",
		"[0,18446744073709551615]": "2^53", "[0,9007199254740993]": "2^53"} {
		one("S09", offsets, want, unfit+offsets, 4)
	}
	one("S10", "size", "takes 8 bytes, data_offsets give 4", `"dtype":"F32","shape":[2],"data_offsets":[0,4]`, 4)
	one("S10", "overflow", "no size", `"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,4]`, 4)
	one("S10", "overflow to nothing", "no size", `"dtype":"U8","shape":[4503599627370496,4096],"data_offsets":[0,0]`, 0)
	one("S11", "wild offsets", `"Q9" is not known`, `"dtype":"Q9","shape":[1],"data_offsets":[0,9007199254740992]`, 4)
	one("S12", "half a byte", "no size in whole bytes", `"dtype":"F4","shape":[3],"data_offsets":[0,2]`, 2)
	text("S13", "number", "not a string", `{"__metadata__":{"a":1}}`)
	text("S13", "deep", "not a string", `{"__metadata__":`+strings.Repeat(`{"a":`, 20_000)+`"x"`+strings.Repeat("}", 20_001))
	text("S13", "deep array", "expected", `{"w":`+strings.Repeat("[", 20_000))
	text("S14", "name of a megabyte", "1048576 bytes, at most 4096", `{"`+strings.Repeat("a", 1<<20)+`":`+empty+"}")
	text("S13", "a quarter of a million entries and one", "more than 250000 entries in __metadata__", entries(250_001))
	text("S14", "a million tensors", "more than 250000 tensors", million())
	text("S14", "escape in a name", `"\x1b[2J"`, `{"\u001b[2J":`+empty+"}")
	return cases
}

// million is the header of a million tensors.
var million = sync.OnceValue(func() string {
	var b strings.Builder
	b.WriteByte('{')
	for i := range 1_000_000 {
		b.WriteString(`"` + strconv.Itoa(i) + `":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},`)
	}
	return b.String()
})

// entries is a header of so many lines of metadata.
func entries(n int) string {
	var b strings.Builder
	b.WriteString(`{"__metadata__":{"":""`)
	for i := range n {
		b.WriteString(`,"` + strconv.Itoa(i) + `":""`)
	}
	return b.String() + "}}"
}

// GoodIndex names a.safetensors, which holds "a", and b.safetensors, which holds "b", each of two F32.
const GoodIndex = `{"metadata": {"total_size": 16, "format": "pt"}, "weight_map": {"a": "a.safetensors", "b": "b.safetensors"}}`

// Shard is a file that GoodIndex names.
func Shard(name string) []byte {
	return File(`{"`+name+`":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, 8)
}

// Indexes are model.safetensors.index.json that must be refused beside the files of GoodIndex: S15.
func Indexes() []limitstest.Case {
	var cases []limitstest.Case
	add := func(what, want, text string) {
		cases = append(cases, limitstest.Case{ID: "S15", What: what, Bytes: []byte(text), Want: want})
	}
	total := func(n string) string { return strings.Replace(GoodIndex, "16", n, 1) }
	add("file above", "beside the index", `{"weight_map":{"a":"../x.safetensors"}}`)
	add("file by way of a folder", "beside the index", `{"weight_map":{"a":"sub/../a.safetensors"}}`)
	add("absolute", "beside the index", `{"weight_map":{"a":"/x.safetensors"}}`)
	add("of another system", "beside the index", `{"weight_map":{"a":"C:\\x.safetensors"}}`)
	add("NUL", "beside the index", `{"weight_map":{"a":"a\u0000.safetensors"}}`)
	add("missing", "none.safetensors", `{"weight_map":{"a":"none.safetensors"}}`)
	add("itself", "beside the index", `{"weight_map":{"a":"model.safetensors.index.json"}}`)
	add("tensor in two files", `tensor "a" twice`, `{"weight_map":{"a":"a.safetensors","a":"b.safetensors"}}`)
	add("file that holds another", `holds tensor "b"`, `{"weight_map":{"a":"b.safetensors"}}`)
	add("files interchanged", `holds tensor "b"`, `{"weight_map":{"a":"b.safetensors","b":"a.safetensors"}}`)
	add("file that lacks it", `does not hold tensor "b"`, `{"weight_map":{"a":"a.safetensors","b":"a.safetensors"}}`)
	add("total size", "total_size is 17, the tensors have 16 bytes", total("17"))
	add("negative total size", "whole number", total("-1"))
	add("infinite total size", "whole number", total("1e400"))
	add("deep", "whole number", total(strings.Repeat("[", 20_000)))
	add("empty map", "empty one", `{"weight_map":{}}`)
	add("map twice", "twice", `{"weight_map":{"a":"a.safetensors"},"weight_map":{"a":"a.safetensors"}}`)
	add("unknown key", `unknown key "other"`, `{"weight_map":{"a":"a.safetensors"},"other":1}`)
	add("not UTF-8", "UTF-8", "{\"weight_map\":{\"a\xff\":\"a.safetensors\"}}")
	add("text behind", "after the JSON", GoodIndex+"x")
	return cases
}
