package pickle

import "graft/onnx"

// global is one entry of the allow-list: a storage class, an element type, or a constructor. The zero fields do not apply.
type global struct {
	name    string
	storage storageKind
	dtype   onnx.DataType
	make    constructor
}

// constructor is what REDUCE may apply to arguments.
type constructor int

const (
	makesOrderedDict constructor = iota + 1
	makesSize
	makesTensor
	makesTensorV2
	makesTensorV3
	makesParameter
	makesTypedStorage
	makesStorageFromBytes
)

// construct applies c to args.
func (m *machine) construct(c constructor, args []any) (any, error) {
	switch c {
	case makesOrderedDict:
		return m.orderedDict(args)
	case makesSize:
		return m.size(args)
	case makesTensor:
		return m.rebuildTensor(args, 4, 4)
	case makesTensorV2:
		return m.rebuildTensor(args, 6, 7)
	case makesTensorV3:
		return m.rebuildTensorV3(args)
	case makesParameter:
		return m.rebuildParameter(args)
	case makesTypedStorage:
		return m.typedStorage(args)
	case makesStorageFromBytes:
		return m.loadFromBytes(args)
	}
	return nil, m.refuse("a value that makes nothing")
}

// storageKind is the element type of a storage class; an untyped storage counts bytes.
type storageKind int32

const untyped storageKind = -1

// dtype is the element type of what the storage holds by itself.
func (k storageKind) dtype() onnx.DataType {
	if k == untyped {
		return onnx.Uint8
	}
	return onnx.DataType(k)
}

// allowed are all globals that a file may name, by module and name with a space between. Nothing matches by prefix, and
// both parts are compared byte by byte.
var allowed = allowList()

func allowList() map[string]global {
	m := make(map[string]global)
	add := func(module, name string, g global) {
		g.name = module + "." + name
		m[module+" "+name] = g
	}
	for name, d := range map[string]onnx.DataType{
		"Float": onnx.Float, "Double": onnx.Double, "Half": onnx.Float16, "BFloat16": onnx.BFloat16,
		"Long": onnx.Int64, "Int": onnx.Int32, "Short": onnx.Int16, "Char": onnx.Int8, "Byte": onnx.Uint8, "Bool": onnx.Bool,
		"ComplexFloat": onnx.Complex64, "ComplexDouble": onnx.Complex128,
	} {
		add("torch", name+"Storage", global{storage: storageKind(d)})
	}
	add("torch", "UntypedStorage", global{storage: untyped})
	add("torch.storage", "UntypedStorage", global{storage: untyped})
	for name, d := range map[string]onnx.DataType{
		"float32": onnx.Float, "float64": onnx.Double, "float16": onnx.Float16, "bfloat16": onnx.BFloat16,
		"int64": onnx.Int64, "int32": onnx.Int32, "int16": onnx.Int16, "int8": onnx.Int8, "bool": onnx.Bool,
		"uint8": onnx.Uint8, "uint16": onnx.Uint16, "uint32": onnx.Uint32, "uint64": onnx.Uint64,
		"complex64": onnx.Complex64, "complex128": onnx.Complex128,
		"float8_e4m3fn": onnx.Float8E4M3FN, "float8_e5m2": onnx.Float8E5M2, "float8_e8m0fnu": onnx.Float8E8M0,
		"float8_e4m3fnuz": onnx.Float8E4M3FNUZ, "float8_e5m2fnuz": onnx.Float8E5M2FNUZ,
	} {
		add("torch", name, global{dtype: d})
	}
	add("collections", "OrderedDict", global{make: makesOrderedDict})
	add("torch", "Size", global{make: makesSize})
	add("torch._utils", "_rebuild_tensor", global{make: makesTensor})
	add("torch._utils", "_rebuild_tensor_v2", global{make: makesTensorV2})
	add("torch._utils", "_rebuild_tensor_v3", global{make: makesTensorV3})
	add("torch._utils", "_rebuild_parameter", global{make: makesParameter})
	add("torch.storage", "TypedStorage", global{make: makesTypedStorage})
	add("torch.storage", "_load_from_bytes", global{make: makesStorageFromBytes})
	return m
}

// orderedDict takes no argument, or a list of pairs as Python 2 wrote.
func (m *machine) orderedDict(args []any) (any, error) {
	d := &dict{}
	if len(args) == 0 {
		return d, nil
	}
	pairs, ok := args[0].(*list)
	if !ok || len(args) != 1 {
		return nil, m.refuse("OrderedDict of %d arguments", len(args))
	}
	for _, p := range pairs.items {
		var pair []any
		switch p := p.(type) {
		case *list:
			pair = p.items
		case *tuple:
			pair = p.items
		}
		if len(pair) != 2 {
			return nil, m.refuse("OrderedDict of something else than pairs")
		}
		if err := m.opcodes.Spend(1, m.where); err != nil {
			return nil, err
		}
		if err := m.setItems(d, pair); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// size is the tuple that a torch.Size is.
func (m *machine) size(args []any) (any, error) {
	if len(args) == 1 {
		if t, ok := args[0].(*tuple); ok {
			return t, nil
		}
	}
	return nil, m.refuse("torch.Size of something else than a tuple")
}

// rebuildTensor takes storage, offset, sizes and strides, and from version 2 on requires_grad, hooks and metadata.
func (m *machine) rebuildTensor(args []any, least, most int) (any, error) {
	if len(args) < least || len(args) > most {
		return nil, m.refuse("a tensor of %d arguments", len(args))
	}
	s, ok := args[0].(*storage)
	if !ok {
		return nil, m.refuse("a tensor over %s", kindOf(args[0]))
	}
	return m.view(s, s.kind.dtype(), args)
}

// rebuildTensorV3 takes storage, offset, sizes, strides, requires_grad, hooks, element type and metadata.
func (m *machine) rebuildTensorV3(args []any) (any, error) {
	if len(args) != 7 && len(args) != 8 {
		return nil, m.refuse("a tensor of %d arguments", len(args))
	}
	s, ok := args[0].(*storage)
	g, ok2 := args[6].(global)
	if !ok || !ok2 || g.dtype == 0 || s.kind != untyped && s.kind.dtype() != g.dtype {
		return nil, m.refuse("a tensor over %s of type %s", kindOf(args[0]), kindOf(args[6]))
	}
	return m.view(s, g.dtype, args)
}

// rebuildParameter takes a tensor, requires_grad and hooks; a parameter is its tensor.
func (m *machine) rebuildParameter(args []any) (any, error) {
	if len(args) == 3 {
		if t, ok := args[0].(*tensor); ok {
			return t, nil
		}
	}
	return nil, m.refuse("a parameter of something else than a tensor")
}

// typedStorage takes an untyped storage and its element type.
func (m *machine) typedStorage(args []any) (any, error) {
	if len(args) == 2 {
		s, ok := args[0].(*storage)
		g, ok2 := args[1].(global)
		if ok && ok2 && g.dtype != 0 && s.kind == untyped && s.bytes%int64(g.dtype.Bits()/8) == 0 {
			return &storage{kind: storageKind(g.dtype), key: s.key, bytes: s.bytes, same: s}, nil
		}
	}
	return nil, m.refuse("a typed storage of something else than an untyped one and a type")
}

// loadFromBytes reads the legacy file in its one argument, which must hold a storage, as a plain pickle of a tensor does.
func (m *machine) loadFromBytes(args []any) (any, error) {
	if len(args) == 1 {
		if b, ok := args[0].([]byte); ok {
			return m.nestedStorage(b)
		}
	}
	return nil, m.refuse("torch.storage._load_from_bytes of something else than bytes")
}
