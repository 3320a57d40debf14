package pickletest

import (
	"math"
	"strings"

	"graft/onnx/limits/limitstest"
	"graft/onnx/strictzip/ziptest"
)

// Hostile are some of each family of attacks on a file of weights, P01 to P26.
func Hostile() []limitstest.Case {
	var cases []limitstest.Case
	add := func(id, what, want string, data []byte) {
		cases = append(cases, limitstest.Case{ID: id, What: what, Bytes: data, Want: want})
	}
	plain := func(id, what, want, object string) { add(id, what, want, Plain(object)) }
	system, args := Global("os", "system"), Tuple(Str("touch owned"))
	one := []int64{1}
	tensor := func(class string, numel, offset int64, sizes, strides []int64) string {
		return Dict("w", Tensor(Storage(class, "0", numel), offset, sizes, strides))
	}
	good := tensor("FloatStorage", 2, 0, []int64{2}, one)

	add("P01", "GLOBAL", `global "os.system"`, Zip(system+args+"R"))
	add("P01", "STACK_GLOBAL", `global "os.system"`, Zip(Str("os")+Str("system")+"\x93"+args+"R"))
	plain("P01", "INST", `global "os.system"`, "("+Str("touch")+"ios\nsystem\n")
	plain("P01", "OBJ", `global "os.system"`, "("+system+Str("touch")+"o")
	plain("P01", "NEWOBJ", `global "os.system"`, system+args+"\x81")
	plain("P01", "NEWOBJ_EX", `global "os.system"`, system+args+"}\x92")
	plain("P01", "EXT1", "EXT1", "\x82\x01")
	plain("P01", "EXT2", "EXT2", "\x83\x01\x00")
	plain("P01", "EXT4", "EXT4", "\x84\x01\x00\x00\x00")
	plain("P01", "PERSID", "PERSID", "Pos.system\n")
	for _, g := range [][2]string{{"pkgutil", "resolve_name"}, {"importlib", "import_module"}, {"operator", "attrgetter"},
		{"builtins", "getattr"}, {"logging", "FileHandler"}, {"pip", "main"}} {
		plain("P02", g[0]+"."+g[1], `global "`+g[0]+"."+g[1]+`" is not allowed`, Global(g[0], g[1])+Tuple(Str("x"))+"R")
	}
	plain("P03", "submodule", "is not allowed", Global("collections.OrderedDict", "update")+")R")
	plain("P03", "name that looks alike", `\u0441ollections`, Str("сollections")+Str("OrderedDict")+"\x93")
	plain("P03", "space at the end", "is not allowed", Global("collections ", "OrderedDict")+")R")
	plain("P03", "escape in a name", `a\x1b[2J\n\x00.b`, Str("a\x1b[2J\n\x00")+Str("b")+"\x93")
	add("P04", "unknown global beside weights", `global "argparse.Namespace"`, Zip(good+Str("cfg")+Global("argparse", "Namespace")+")Rs", Data(8)))
	add("P04", "unknown global, legacy", `global "argparse.Namespace"`,
		Legacy(LegacyStorages(good)+Str("cfg")+Global("argparse", "Namespace")+")Rs", []string{"0"}, LE64(2)+string(Data(8))))
	plain("P05", "SETITEM on a list", "added to a list", "]"+Str("a")+"Ns")
	plain("P05", "SETITEMS on a list", "added to a list", "]("+Str("a")+"Nu")
	plain("P05", "APPEND to a dict", "added to a dict", "}Na")
	plain("P05", "BUILD on None", "state of None", "N}b")
	plain("P05", "list as a key", "a list as the key", "}]Ns")
	add("P05", "SETITEM on a tensor", "added to a tensor", Zip(Tensor(Storage("FloatStorage", "0", 2), 0, []int64{2}, one)+Str("a")+"Ns", Data(8)))
	add("P06", "storage larger than its entry", "takes 12 bytes, its entry has 8", Zip(tensor("FloatStorage", 3, 0, []int64{2}, one), Data(8)))
	add("P06", "offset beyond", "reaches to element 2", Zip(tensor("FloatStorage", 2, 1, []int64{2}, one), Data(8)))
	add("P06", "negative stride", "negative", Zip(tensor("FloatStorage", 2, 1, []int64{2}, []int64{-1}), Data(8)))
	add("P06", "strides overflow", "overflow", Zip(tensor("FloatStorage", 2, 0, []int64{1 << 40}, []int64{1 << 40}), Data(8)))
	add("P06", "one element as a terabyte", "more than", Zip(tensor("FloatStorage", 2, 0, []int64{1 << 40}, []int64{0}), Data(8)))
	add("P06", "legacy count", "3 elements, the pickle says 2", Legacy(LegacyStorages(good), []string{"0"}, LE64(3)+string(Data(12))))
	for _, op := range [][2]string{{"FRAME", "\x95"}, {"BINBYTES8", "\x8e"}, {"BINUNICODE8", "\x8d"}, {"BYTEARRAY8", "\x96"}} {
		plain("P07", op[0], "left", op[1]+LE64(1<<62))
	}
	plain("P07", "BINBYTES8 of 2^64-1", "left", "\x8e"+LE64(math.MaxUint64))
	plain("P08", "BINUNICODE of 4 GiB", "4294967295 bytes declared", "X\xff\xff\xff\xffabc")
	plain("P09", "BINGET", "nothing is stored under memo key 7", "h\x07")
	plain("P09", "LONG_BINGET", "memo key 4294967295", "j\xff\xff\xff\xff")
	plain("P10", "REDUCE on nothing", "the stack has too few values", "R")
	plain("P10", "TUPLE without a mark", "no mark on the stack", "t")
	plain("P10", "nothing at STOP", "STOP with 0 values", "")
	laughs := "]q\x000"
	for i := range 60 {
		laughs += "](h\x00h\x00eq\x00"
		if i < 59 {
			laughs += "0"
		}
	}
	view := Tensor("h\x00", 0, []int64{1 << 20}, one)
	add("P11", "views of one storage", "bytes of tensors", Zip("]("+Storage("ByteStorage", "0", 1<<20)+"q\x000"+strings.Repeat(view, 1000)+"e", make([]byte, 1<<20)))
	plain("P11", "lists of lists", "more than 1000000 values", laughs)
	plain("P11", "DUP", "more than 1000000 values", "]"+strings.Repeat("2\x86", 60))
	long := strings.Repeat("a", 1<<20)
	add("P11", "names of a megabyte", "bytes of names", Zip(Tensor(Storage("ByteStorage", "0", 1), 0, one, one)+"q\x000"+
		Dict(long, "]("+strings.Repeat("h\x00", 200)+"e"), Data(1)))
	plain("P12", "list in itself", "a list contains itself", "]q\x00h\x00a")
	plain("P12", "dict in itself", "a dict contains itself", "}q\x00"+Str("a")+"h\x00s")
	plain("P12", "tuple in itself", "contains itself", "]q\x00(h\x00tq\x01a")
	plain("P12", "deep", "deeper than 100", ")"+strings.Repeat("\x85", 900_000))
	plain("P13", "a million marks", "is over its limit", strings.Repeat("(", 1_000_000))
	plain("P13", "opcodes", "more than 1000000 opcodes", strings.Repeat("N0", 600_000))
	many := "](" + strings.Repeat("h\x00h\x01R", 9000) + "e0"
	add("P13", "tensors", "more than 250000 tensors", Zip(Global("torch._utils", "_rebuild_tensor_v2")+"q\x000"+
		Tuple(Storage("ByteStorage", "0", 1), Integer(0), ")", ")", "\x89", "N")+"q\x010"+strings.Repeat(many, 28)+"N", Data(1)))
	plain("P14", "LONG4 of 2 GiB", "2147483648 bytes, at most 16", "\x8b\x00\x00\x00\x80")
	plain("P14", "LONG of a million digits", "no end of line", "L"+strings.Repeat("9", 1_000_000)+"L\n")
	add("P15", "two pickles", "bytes after STOP", []byte(Proto2+"N."+Proto2+"N."))
	add("P15", "junk after STOP", "1 bytes after STOP", []byte(Proto2+"N.x"))
	add("P15", "no STOP", "without STOP", []byte(Proto2+"N"))
	add("P15", "no STOP, zip", "bytes after the last|bytes after STOP", Zip("N.N"))
	add("P16", "protocol 6", "pickle protocol 6", []byte("\x80\x06N."))
	add("P16", "protocol 255", "pickle protocol 255", []byte("\x80\xffN."))
	add("P17", "tar checkpoint", "tar checkpoint", Tar())
	add("P17", "TorchScript", "TorchScript", ziptest.Build(append(ZipFiles("N"), ziptest.File{Name: "archive/constants.pkl", Data: []byte("\x80\x02).")})))
	add("P17", "HDF5", "HDF5", HDF5())
	add("P18", "global in a file without zip", `global "os.system"`, []byte(Proto2+system+")R."))
	files := ZipFiles(tensor("FloatStorage", 50, 0, []int64{50}, one), Data(200))
	for _, c := range ziptest.Hostile(files) {
		if c.What == "prefix" { // what does not begin as a zip is read as a pickle
			c.Want = "unknown opcode"
		}
		cases = append(cases, c)
	}
	add("P25", "byteorder of many bytes", "byteorder of 17 bytes", ziptest.Build([]ziptest.File{
		{Name: "archive/data.pkl", Data: Plain("N")}, {Name: "archive/byteorder", Data: []byte("little           ")}}))
	large := ziptest.Plain(ziptest.File{Name: "archive/data.pkl", Data: make([]byte, 300_000)})
	large.Method, large.Size, large.LocalSize = 8, 256<<20+1, 256<<20+1
	add("P25", "pickle above its limit", "268435457 bytes, at most 268435456", ziptest.Archive{Entries: []ziptest.Entry{large}}.Bytes())
	unpacked := ziptest.Archive{}
	for _, f := range ZipFiles(tensor("ByteStorage", 100<<20, 0, []int64{100 << 20}, one), make([]byte, 120_000)) {
		e := ziptest.Plain(f)
		if len(f.Data) == 120_000 {
			e.Method, e.Size, e.LocalSize = 8, 100<<20, 100<<20
		}
		unpacked.Entries = append(unpacked.Entries, e)
	}
	add("P25", "storage that unpacks to a hundred megabytes", "bytes of tensors", unpacked.Bytes())
	nested := ZipFiles("N")
	nested[0].Data = Zip("N")
	add("P26", "zip in a zip", "PERSID", ziptest.Build(nested))
	return cases
}

// Tar is the beginning of a checkpoint in PyTorch's oldest form.
func Tar() []byte {
	b := make([]byte, 1024)
	copy(b, "sys_info")
	copy(b[257:], "ustar\x0000")
	return b
}

// HDF5 is the beginning of a file as Keras has written weights.
func HDF5() []byte { return append([]byte("\x89HDF\r\n\x1a\n"), make([]byte, 100)...) }

// Keras is a model as Keras 3 saves it: an archive with HDF5 inside.
func Keras() []byte {
	return ziptest.Build([]ziptest.File{{Name: "metadata.json", Data: []byte("{}")}, {Name: "config.json", Data: []byte("{}")}, {Name: "model.weights.h5", Data: HDF5()}})
}
