package pickle

import (
	"bytes"
	"math"
	"runtime"
	"strings"
	"testing"
	"time"

	"graft/onnx"
	"graft/onnx/limits/limitstest"
	"graft/onnx/strictzip/ziptest"
)

func TestHostileP01Globals(t *testing.T) {
	args := tupleOf(str("touch /tmp/owned"))
	for _, body := range []string{
		globalOp("os", "system") + args + "R",
		str("os") + str("system") + "\x93" + args + "R",
		"(" + str("touch") + "ios\nsystem\n",
		"(" + globalOp("os", "system") + str("touch") + "o",
		globalOp("os", "system") + args + "\x81",
		globalOp("os", "system") + args + "}\x92",
	} {
		pickled(t, body, `global "os.system" at`[:18])
	}
	for body, want := range map[string]string{
		"\x82\x01": "EXT1", "\x83\x01\x00": "EXT2", "\x84\x01\x00\x00\x00": "EXT4", "Pos.system\n": "PERSID",
		str("os.system") + "Q":                                      "no torch storage",
		tupleOf(str("module"), str("x"), str("y")) + "Q":            "no torch storage",
		"(icollections\nOrderedDict\n":                              "INST",
		"(" + globalOp("collections", "OrderedDict") + "o":          "OBJ",
		globalOp("collections", "OrderedDict") + ")\x81":            "NEWOBJ",
		globalOp("collections", "OrderedDict") + ")}\x92":           "NEWOBJ_EX",
		globalOp("collections", "OrderedDict"):                      "as a value",
		globalOp("torch", "FloatStorage") + ")R":                    "applied to",
		str("os.system") + ")R":                                     "a string applied to",
		globalOp("collections", "OrderedDict") + "]R":               "applied to a list",
		globalOp("collections", "OrderedDict") + tupleOf("N") + "R": "1 arguments",
	} {
		pickled(t, body, want)
	}
}

func TestHostileP02Gadgets(t *testing.T) {
	for _, g := range [][2]string{{"pkgutil", "resolve_name"}, {"importlib", "import_module"}, {"operator", "attrgetter"}, {"builtins", "getattr"},
		{"builtins", "eval"}, {"__builtin__", "exec"}, {"logging", "FileHandler"}, {"pip", "main"}, {"torch", "load"}, {"torch.hub", "load"},
		{"numpy", "load"}, {"torch.jit", "load"}, {"torch.serialization", "load"}, {"torch._utils", "_rebuild_wrapper_subclass"}, {"functools", "partial"}} {
		pickled(t, globalOp(g[0], g[1])+tupleOf(str("x"))+"R", `global "`+g[0]+"."+g[1]+`" is not allowed`)
	}
}

func TestHostileP03LookAlikes(t *testing.T) {
	for _, g := range [][2]string{{"collections.OrderedDict", "update"}, {"collections", "OrderedDict.update"}, {"collections ", "OrderedDict"}, {"collections", " OrderedDict"},
		{"collections OrderedDict", ""}, {"", "collections OrderedDict"}, {"сollections", "OrderedDict"}, {"collections", "OrderedDict\u200b"}, {"Collections", "OrderedDict"},
		{"torch._utils", "_rebuild_tensor_v22"}, {"torch._utils.x", "_rebuild_tensor_v2"}, {"torch", "_utils _rebuild_tensor_v2"}, {"torch.storage", "_load_from_bytes\r"}} {
		pickled(t, str(g[0])+str(g[1])+"\x93)R", "is not allowed")
		pickled(t, globalOp(g[0], g[1])+")R", "is not allowed")
	}
	pickled(t, str("сollections")+str("OrderedDict")+"\x93", `\u0441ollections`)
	pickled(t, "]N\x93", "a global named by")
	pickled(t, str("a\x1b[2J\n\x00")+str("b")+"\x93", `a\x1b[2J\n\x00.b`)
	pickled(t, str(strings.Repeat("a", 1<<20))+str("b")+"\x93", "is not allowed")
}

func TestHostileP04UnknownGlobal(t *testing.T) {
	good := tensorOp(storageOp("FloatStorage", "0", 2), 0, []int64{2}, []int64{1})
	bad := dictOp("w", good, "cfg", globalOp("argparse", "Namespace")+")R")
	refused(t, zipForm(bad, data(8)), `global "argparse.Namespace"`)
	refused(t, legacyForm(strings.ReplaceAll(bad, "tQ", "NtQ"), []string{"0"}, le64(2)+string(data(8))), `global "argparse.Namespace"`)
	refused(t, zipForm(bad, data(8)), "save model.state_dict()")
	refused(t, zipForm(dictOp("w", good, "unused", "N")+"0"+globalOp("os", "system")+"0N", data(8)), "os.system")
}

func TestHostileP05WrongTargets(t *testing.T) {
	for body, want := range map[string]string{
		"]" + str("a") + "Ns":                   "added to a list",
		"](" + str("a") + "Nu":                  "added to a list",
		"}Na":                                   "added to a dict",
		"}(Ne":                                  "added to a dict",
		")Na":                                   "added to a tuple",
		"NNa":                                   "added to None",
		str("a") + "K\x00Ns":                    "added to a string",
		"}]Ns":                                  "a list as the key",
		"}G\x7f\xf8\x00\x00\x00\x00\x00\x00Ns":  "a float as the key",
		"}" + str("a") + "N" + str("a") + "Ns":  "",
		"}(" + str("a") + "N" + str("a") + "Nu": `key "a" twice`,
		"}(" + str("a") + "u":                   "a key without a value",
		"(" + str("a") + "d":                    "a key without a value",
		"]}b":                                   "a dict set as the state of a list",
		"}]b":                                   "a list set as the state of a dict",
		"}" + dictOp("__class__", "N") + "b":    `attribute "__class__"`,
		"N}b":                                   "state of None",
		globalOp("collections", "OrderedDict") + "}b": "state of collections.OrderedDict",
	} {
		pickled(t, body, want)
	}
	tensor := tensorOp(storageOp("FloatStorage", "0", 2), 0, []int64{2}, []int64{1})
	refused(t, zipForm(tensor+str("a")+"Ns", data(8)), "added to a tensor")
	refused(t, zipForm(tensor+"}b", data(8)), "state of a tensor")
	refused(t, zipForm(storageOp("FloatStorage", "0", 2)+"Na", data(8)), "added to a storage")
}

func TestHostileP06TensorGeometry(t *testing.T) {
	tensor := func(class string, numel, offset int64, sizes, strides []int64) string {
		return tensorOp(storageOp(class, "0", numel), offset, sizes, strides)
	}
	one := []int64{1}
	for _, c := range []struct{ object, want string }{
		{tensor("FloatStorage", 3, 0, []int64{2}, one), "takes 12 bytes, its entry has 8"},
		{tensor("DoubleStorage", 2, 0, []int64{2}, one), "takes 16 bytes, its entry has 8"},
		{tensor("FloatStorage", 1<<62, 0, []int64{2}, one), "elements"},
		{tensor("FloatStorage", -1, 0, []int64{2}, one), "no torch storage"},
		{tensor("FloatStorage", 2, 1, []int64{2}, one), "reaches to element 2 of storage"},
		{tensor("FloatStorage", 2, 0, []int64{2}, []int64{2}), "reaches to element 2"},
		{tensor("FloatStorage", 2, 0, []int64{3}, one), "reaches to element 2"},
		{tensor("FloatStorage", 2, 2, []int64{}, []int64{}), "reaches to element 2"},
		{tensor("FloatStorage", 2, -1, []int64{2}, one), "with offset"},
		{tensor("FloatStorage", 2, 1, []int64{2}, []int64{-1}), "negative"},
		{tensor("FloatStorage", 2, 0, []int64{-2}, one), "negative"},
		{tensor("FloatStorage", 2, 0, []int64{1 << 40}, []int64{1 << 40}), "overflow"},
		{tensor("FloatStorage", 2, math.MaxInt64, []int64{2}, one), "overflow"},
		{tensor("FloatStorage", 2, 0, []int64{1 << 40, 1 << 40}, []int64{0, 0}), "size overflows"},
		{tensor("FloatStorage", 2, 0, []int64{0, 1 << 40, 1 << 40}, []int64{0, 0, 0}), "size overflows"},
		{tensor("FloatStorage", 2, 0, []int64{1 << 40}, []int64{0}), "more than"}, // an expanded view of one element
		{tensor("FloatStorage", 2, 0, []int64{2, 1}, one), "2 sizes and 1 strides"},
		{tensor("FloatStorage", 2, 0, make([]int64, 65), make([]int64, 65)), "at most 64"},
		{tensor("BoolStorage", 8, 0, []int64{8}, one), "neither 0 nor 1"},
		{tensorOp(storageOp("FloatStorage", "1", 2), 0, []int64{2}, one), "no entry for storage"},
		{tensorOp(storageOp("FloatStorage", "../0", 2), 0, []int64{2}, one), "is no number"},
		{tupleOf(tensor("FloatStorage", 2, 0, []int64{2}, one), tensor("FloatStorage", 1, 0, one, one)), "in two sizes"},
		{tensorOp(str("x"), 0, []int64{2}, one), "a tensor over a string"},
	} {
		refused(t, zipForm(c.object, data(8)), c.want)
	}
	legacy := strings.ReplaceAll(tensor("FloatStorage", 2, 0, []int64{2}, one), "tQ", "NtQ")
	two := le64(2) + string(data(8))
	for want, b := range map[string][]byte{
		"3 elements, the pickle says 2": legacyForm(legacy, []string{"0"}, le64(3)+string(data(12))),
		"8 bytes declared":              legacyForm(legacy, []string{"0"}, le64(2)+"\x00"),
		"not a list of the object's 1":  legacyForm(legacy, []string{"0", "1"}, two, two),
		"is unknown":                    legacyForm(legacy, []string{"1"}, two),
		"1 bytes after the last":        legacyForm(legacy, []string{"0"}, two+"x"),
		"is a view of another":          legacyForm(strings.ReplaceAll(legacy, "NtQ", tupleOf(str("v"), "K\x00", "K\x01")+"tQ"), []string{"0"}, two),
		"0 storages":                    legacyForm("N", []string{"0"}, two),
		"in two sizes or types":         legacyForm(tupleOf(legacy, strings.ReplaceAll(legacy, "Float", "Int")), []string{"0"}, two),
		"not little endian":             []byte(magicPickle + versionPickle + proto2 + dictOp("little_endian", "\x89") + "."),
		"is 1002, 1001 was expected":    []byte(magicPickle + proto2 + "M\xea\x03."),
		"a list instead of a dict":      []byte(magicPickle + versionPickle + "]."),
		"without STOP":                  []byte(magicPickle + versionPickle + systemPickle),
	} {
		refused(t, b, want)
	}
	f, err := read(legacyForm(legacy, []string{"0"}, two))
	if err != nil || !bytes.Equal(f.Root.(*onnx.Tensor).Data, data(8)) {
		t.Fatal(err)
	}
}

func TestHostileP07HugeLengths(t *testing.T) {
	for _, n := range []uint64{1 << 62, 1 << 63, math.MaxUint64, 1 << 40} {
		for _, op := range []string{"\x95", "\x8e", "\x8d", "\x96"} {
			pickled(t, op+le64(n), "left")
		}
	}
}

func TestHostileP08HugeString(t *testing.T) {
	for _, op := range []string{"X", "T", "B"} {
		pickled(t, op+"\xff\xff\xff\xffabc", "4294967295 bytes declared")
	}
	for _, op := range []string{"U", "C", "\x8c"} {
		pickled(t, op+"\xffabc", "255 bytes declared")
	}
}

func TestHostileP09MissingMemo(t *testing.T) {
	pickled(t, "h\x07", "nothing is stored under memo key 7")
	pickled(t, "j\xff\xff\xff\xff", "memo key 4294967295")
	pickled(t, "g7\n", "memo key 7")
	pickled(t, "Nq\x00h\x01", "memo key 1")
	for _, key := range []string{"", "-1", "1e3", "x", "99999999999", " 1", "+1"} {
		pickled(t, "Np"+key+"\n", "memo key")
	}
}

func TestHostileP10Underflow(t *testing.T) {
	for _, op := range []string{"0", "2", "Q", "R", "a", "b", "s", "\x85", "\x86", "\x87", "\x93", "\x94", "q\x00", "p0\n", "r\x00\x00\x00\x00"} {
		pickled(t, op, "the stack has too few values")
		if op != "0" { // which takes the mark itself
			pickled(t, "N("+op, "the stack has too few values")
		}
	}
	for _, op := range []string{"1", "t", "l", "d", "e", "u"} {
		pickled(t, op, "no mark on the stack")
		pickled(t, "N"+op, "no mark on the stack")
	}
	for _, op := range []string{"e", "u"} {
		pickled(t, "("+op, "the stack has too few values")
	}
	pickled(t, "", "STOP with 0 values")
	pickled(t, "NN", "STOP with 2 values")
	pickled(t, "N(", "1 marks")
	for code := range 256 { // no opcode makes it panic on an empty stack
		if _, err := read([]byte{0x80, 2, byte(code)}); err == nil {
			t.Errorf("opcode 0x%02x alone is accepted", code)
		}
	}
}

func TestHostileP11Laughs(t *testing.T) {
	// Each list holds the one before it twice: 2^60 values from 60 lists.
	body := "]q\x000"
	for i := range 60 {
		body += "](h" + string(rune(0)) + "h" + string(rune(0)) + "eq\x00"
		if i < 59 {
			body += "0"
		}
	}
	pickled(t, body, "more than 1000000 values")
	pickled(t, "]"+strings.Repeat("2\x86", 60), "more than 1000000 values")
	// One tensor of 1 MiB at 100,000 places costs its memory once.
	places := "](" + tensorOp(storageOp("ByteStorage", "0", 1<<20), 0, []int64{1 << 20}, []int64{1}) + "q\x00" + strings.Repeat("h\x00", 9000) + "e"
	if _, err := read(zipForm(places, make([]byte, 1<<20))); err != nil {
		t.Fatal(err)
	}
	// But 1,000 views of one storage would cost 1,000 times its size.
	view := tensorOp("h\x00", 0, []int64{1 << 20}, []int64{1})
	views := "](" + storageOp("ByteStorage", "0", 1<<20) + "q\x000" + strings.Repeat(view, 1000) + "e"
	refused(t, zipForm(views, make([]byte, 1<<20)), "bytes of tensors")
}

func TestHostileP12Cycles(t *testing.T) {
	pickled(t, "]q\x00h\x00a", "a list contains itself")
	pickled(t, "}q\x00"+str("a")+"h\x00s", "a dict contains itself")
	pickled(t, "]q\x00(h\x00tq\x01a", "contains itself")
	pickled(t, strings.Repeat("]", 5000)+strings.Repeat("a", 4999), "deeper than 100")
	pickled(t, ")"+strings.Repeat("\x85", 900_000), "deeper than 100")
}

func TestHostileP13Marks(t *testing.T) {
	pickled(t, strings.Repeat("(", 1_000_000), "is over its limit")
	pickled(t, strings.Repeat("N", 20_000), "is over its limit")
	var memo strings.Builder
	for i := range 100_001 {
		memo.WriteString("Nr" + le32(i) + "0")
	}
	pickled(t, memo.String(), "is over its limit")
	pickled(t, strings.Repeat("N0", 600_000), "more than 1000000 opcodes")
}

func TestHostileP14Integers(t *testing.T) {
	pickled(t, "\x8b\x00\x00\x00\x80", "2147483648 bytes, at most 16")
	pickled(t, "\x8b\xff\xff\xff\xff", "at most 16")
	pickled(t, "\x8a\x11"+string(make([]byte, 17)), "17 bytes, at most 16")
	pickled(t, "L"+strings.Repeat("9", 1_000_000)+"L\n", "no end of line")
	pickled(t, "I"+strings.Repeat("9", 1_000_000)+"\n", "no end of line")
	pickled(t, "I"+strings.Repeat("9", 40)+"\n", "integer")
	pickled(t, "F"+strings.Repeat("9", 1_000_000)+"\n", "no end of line")
	for _, s := range []string{"", "-", "--1", "1e3", "0x10", " 4", "+4", "1_0", "NaN"} {
		pickled(t, "I"+s+"\n", "integer")
		pickled(t, "L"+s+"L\n", "integer")
	}
	for _, s := range []string{"", "0x1p3", "1_0", "1e999", "a"} {
		pickled(t, "F"+s+"\n", "float")
	}
}

func TestHostileP15Stop(t *testing.T) {
	refused(t, []byte(proto2+"N."+proto2+"N."), "bytes after STOP")
	refused(t, []byte(proto2+"N.x"), "1 bytes after STOP")
	refused(t, []byte(proto2+"N"), "without STOP")
	refused(t, []byte(proto2), "without STOP")
	refused(t, []byte(magicPickle), "without STOP")
	refused(t, nil, "the file is empty")
	refused(t, zipForm("N."+"N"), "bytes after STOP")
	refused(t, append(zipForm("N"), proto2+"N."...), "no end record")
}

func TestHostileP16Protocols(t *testing.T) {
	for want, body := range map[string]string{
		"0": "(lp0\nI1\naI01\naF1.5\naS'a\\'\\x41'\naVb\\u00e9\nap1\na(I2\nL3L\ntp2\naNa(dp3\nS'k'\nI4\nsa.",
		"1": "]q\x00(K\x01I01\nG\x3f\xf8\x00\x00\x00\x00\x00\x00U\x03a'AX\x03\x00\x00\x00b\xc3\xa9",
	} {
		if want == "1" {
			body += "(K\x02K\x03tq\x01N}q\x02U\x01kK\x04se."
		} else {
			body = strings.Replace(body, "ap1\na(I2", "a(I2", 1)
		}
		checkProtocol(t, want, []byte(body))
	}
	two := "](K\x01\x88G\x3f\xf8\x00\x00\x00\x00\x00\x00X\x03\x00\x00\x00a'AX\x03\x00\x00\x00b\xc3\xa9K\x02\x8a\x01\x03\x86N}X\x01\x00\x00\x00kK\x04se."
	checkProtocol(t, "2", []byte("\x80\x02"+two))
	checkProtocol(t, "3", []byte("\x80\x03"+two))
	four := strings.ReplaceAll(strings.ReplaceAll(two, "X\x03\x00\x00\x00", "\x8c\x03"), "X\x01\x00\x00\x00", "\x8c\x01\x94"[:1]+"\x01")
	checkProtocol(t, "4", []byte("\x80\x04\x95"+le64(uint64(len(four)))+four))
	checkProtocol(t, "5", []byte("\x80\x05\x95"+le64(uint64(len(four)))+four))
	for version := 6; version < 256; version += 83 {
		refused(t, []byte{0x80, byte(version), 'N', '.'}, "pickle protocol")
	}
	pickled(t, "\x80\x02N", "only at the beginning")
	for _, op := range []string{"\x97", "\x98", "\x8f", "(\x90", "(\x91"} {
		pickled(t, op, "is not read")
	}
}

// checkProtocol wants [1, True, 1.5, "a'A", "bé", (2, 3), None, {"k": 4}].
func checkProtocol(t *testing.T, protocol string, b []byte) {
	t.Helper()
	f, err := read(b)
	if err != nil {
		t.Errorf("protocol %s: %v", protocol, err)
		return
	}
	v, ok := f.Root.([]any)
	if !ok || len(v) != 8 || v[0] != int64(1) || v[1] != true || v[2] != 1.5 || v[3] != "a'A" || v[4] != "bé" || v[6] != nil {
		t.Errorf("protocol %s: %#v", protocol, f.Root)
		return
	}
	pair, _ := v[5].(Tuple)
	d, _ := v[7].(*Dict)
	if len(pair) != 2 || pair[0] != int64(2) || pair[1] != int64(3) || d == nil {
		t.Errorf("protocol %s: %#v", protocol, v)
	} else if k, ok := d.Get("k"); !ok || k != int64(4) {
		t.Errorf("protocol %s: %#v", protocol, d)
	}
}

func TestHostileP17KindsOfFile(t *testing.T) {
	tar := make([]byte, 1024)
	copy(tar, "sys_info")
	copy(tar[257:], "ustar\x0000")
	refused(t, tar, "tar checkpoint")
	refused(t, append([]byte("\x89HDF\r\n\x1a\n"), make([]byte, 100)...), "HDF5")
	files := zipFiles("N")
	refused(t, ziptest.Build(append(files, ziptest.File{Name: "archive/constants.pkl", Data: []byte("\x80\x02).")})), "TorchScript")
	refused(t, ziptest.Build(append(files, ziptest.File{Name: "archive/code/__torch__.py", Data: []byte("def f(): pass")})), "torch.jit.load")
	refused(t, ziptest.Build(append(files, ziptest.File{Name: "other/data.pkl", Data: []byte("N.")})), "two pickles")
	refused(t, ziptest.Build([]ziptest.File{{Name: "a.npy"}, {Name: "b.npy"}}), "no archive of torch.save")
	big := zipFiles("N")
	big[1].Data = []byte("big")
	refused(t, ziptest.Build(big), `byteorder "big"`)
	for _, junk := range []string{"\x93NUMPY", "GIF89a", "#!/bin/sh\n", "\x00\x00\x00\x00", "{}"} {
		if _, err := read([]byte(junk)); err == nil {
			t.Errorf("%q accepted", junk)
		}
	}
	// A file inside a file.
	inner := legacyForm(strings.ReplaceAll(storageOp("ByteStorage", "0", 2), "tQ", "NtQ"), []string{"0"}, le64(2)+"ab")
	load := func(b []byte) string {
		return globalOp("torch.storage", "_load_from_bytes") + tupleOf("B"+le32(len(b))+string(b)) + "R"
	}
	f, err := read([]byte(proto2 + tensorOp(load(inner), 0, []int64{2}, []int64{1}) + "."))
	if err != nil || string(f.Root.(*onnx.Tensor).Data) != "ab" {
		t.Fatal(err)
	}
	pickled(t, load([]byte(proto2+"N.")), "no torch file")
	pickled(t, load(legacyForm("N", nil)), "None instead of a storage")
	pickled(t, load(append(inner, 0)), "after the last")
	pickled(t, load(legacyForm(load(inner), nil)), "inside a file inside a file")
	pickled(t, globalOp("torch.storage", "_load_from_bytes")+tupleOf(str("x"))+"R", "else than bytes")
	many := "B" + le32(len(inner)) + string(inner) + "q\x000](" + strings.Repeat(globalOp("torch.storage", "_load_from_bytes")+"h\x00\x85R", 9000) + "e"
	if _, err := read([]byte(proto2 + many + ".")); err != nil {
		t.Fatal(err)
	}
}

func TestHostileP18WrongExtension(t *testing.T) {
	b := zipForm("N")
	for _, name := range []string{"x.bin", "x.pt", "x", "x.npz", "x.tar"} {
		f, err := Read(bytes.NewReader(b), int64(len(b)), name)
		if err != nil || f.Format != "torch zip" {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := Read(strings.NewReader("cos\nsystem\n)R."), 14, name); err == nil || !strings.Contains(err.Error(), `"os.system"`) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func hostileZips(t *testing.T, id string) {
	files := zipFiles(tensorOp(storageOp("FloatStorage", "0", 50), 0, []int64{50}, []int64{1}), data(200))
	n := 0
	for _, c := range ziptest.Hostile(files) {
		if c.ID == id {
			n++
			refused(t, c.Bytes, "")
		}
	}
	if n == 0 {
		t.Fatal("no archive")
	}
}

func TestHostileP19ZipFlags(t *testing.T)      { hostileZips(t, "P19") }
func TestHostileP20ZipNames(t *testing.T)      { hostileZips(t, "P20") }
func TestHostileP21ZipCRC(t *testing.T)        { hostileZips(t, "P21") }
func TestHostileP22ZipDuplicates(t *testing.T) { hostileZips(t, "P22") }
func TestHostileP23ZipOverlap(t *testing.T)    { hostileZips(t, "P23") }
func TestHostileP24ZipPaths(t *testing.T)      { hostileZips(t, "P24") }
func TestHostileP25ZipSizes(t *testing.T)      { hostileZips(t, "P25") }
func TestHostileP26ZipMethods(t *testing.T) {
	hostileZips(t, "P26")
	nested := zipFiles("N")
	nested[0].Data = zipForm("N")
	refused(t, ziptest.Build(nested), "PERSID")
}

// The costliest of the attacks stay within the time and memory that a small file may take. The time is the best of three:
// the machine may be busy.
func TestHostileCost(t *testing.T) {
	tensor := tensorOp("h\x00", 0, make([]int64, 60), make([]int64, 60))
	attacks := map[string][]byte{
		"dicts":   []byte(proto2 + strings.Repeat("}K\x01Ns0", 200_000) + "N."),
		"lists":   []byte(proto2 + "](" + strings.Repeat("]", 9_000) + "e" + strings.Repeat("2", 9_000) + "."),
		"tensors": zipForm(storageOp("ByteStorage", "0", 1)+"q\x000]("+strings.Repeat(tensor, 7_000)+"e", data(1)),
	}
	for name, b := range attacks {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		elapsed := time.Hour
		for range 3 {
			elapsed = min(elapsed, limitstest.CPU(t, func() { read(b) })) // either verdict
		}
		runtime.ReadMemStats(&after)
		t.Logf("%s: %v", name, elapsed)
		if grown := after.Sys - before.Sys; elapsed > time.Second || grown > uint64(64<<20+4*len(b)) {
			t.Errorf("%s: %v, %d bytes of memory for a file of %d", name, elapsed, grown, len(b))
		}
	}
}
