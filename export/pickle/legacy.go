package pickle

import (
	"bytes"
	"math/big"

	"graft/onnx/limits"
)

// legacyProtocol is the number in the second pickle of a legacy file.
const legacyProtocol = 1001

// legacyMagic is the number in the first pickle of a legacy file.
var legacyMagic, _ = new(big.Int).SetString("1950a86a20f9469cfc6c", 16)

func isLegacyMagic(v any) bool {
	x, ok := v.(*big.Int)
	return ok && x.Cmp(legacyMagic) == 0
}

// legacy reads what follows the magic number's pickle: protocol number, system information, the object, the keys of its
// storages, and for each its number of elements and its bytes. src is what r reads.
func (s *session) legacy(src readerAt, r *limits.Reader) (any, error) {
	next := func(what string) (any, error) {
		m := &machine{session: s, r: r, where: s.where(what)}
		return m.run()
	}
	version, err := next("protocol number")
	if err != nil {
		return nil, err
	}
	if version != int64(legacyProtocol) {
		return nil, limits.Refuse(s.where("protocol number"), "is %v, %d was expected", clip(kindOrInteger(version)), legacyProtocol)
	}
	info, err := next("system information")
	if err != nil {
		return nil, err
	}
	system, ok := info.(*dict)
	if !ok {
		return nil, limits.Refuse(s.where("system information"), "%s instead of a dict", kindOf(info))
	}
	if i, ok := system.index["little_endian"]; !ok || system.values[i] != true {
		return nil, limits.Refuse(s.where("system information"), "the file's numbers are not little endian")
	}
	storages := make(map[string]*storage)
	object := &machine{session: s, r: r, where: s.where("object")}
	object.storageOf = func(m *machine, kind storageKind, key string, elements int64) (*storage, error) {
		made, err := m.newStorage(kind, key, elements)
		if err != nil {
			return nil, err
		}
		if known, ok := storages[key]; ok {
			if known.kind != kind || known.bytes != made.bytes {
				return nil, m.refuse("storage %s in two sizes or types", limits.Name(key))
			}
			return known, nil
		}
		storages[key] = made
		return made, nil
	}
	root, err := object.run()
	if err != nil {
		return nil, err
	}
	keys, err := next("storage keys")
	if err != nil {
		return nil, err
	}
	order, ok := keys.(*list)
	if !ok || len(order.items) != len(storages) {
		return nil, limits.Refuse(s.where("storage keys"), "are not a list of the object's %d storages", len(storages))
	}
	for _, key := range order.items {
		name, ok := key.(string)
		st := storages[name]
		if !ok || st == nil || st.read != nil {
			return nil, limits.Refuse(s.where("storage keys"), "%s is unknown or stands there twice", keyText(key))
		}
		if err := s.place(st, src, r); err != nil {
			return nil, err
		}
	}
	if r.Remaining() != 0 {
		return nil, limits.Refuse(s.where("storages"), "%d bytes after the last one", r.Remaining())
	}
	return root, nil
}

// place reads a storage's element count and remembers where its bytes are.
func (s *session) place(st *storage, src readerAt, r *limits.Reader) error {
	field := s.where("storage " + limits.Name(st.key))
	n, err := r.U64(field)
	if err != nil {
		return err
	}
	if want := uint64(st.bytes / elementBytes(st.kind.dtype())); n != want {
		return limits.Refuse(field, "%d elements, the pickle says %d", n, want)
	}
	begin := r.Offset()
	if err := r.Skip(uint64(st.bytes), field); err != nil {
		return err
	}
	st.read = func(dst []byte) error { return limits.ReadAt(src, dst, begin, field) }
	return nil
}

// nestedStorage reads a legacy file that stands inside a pickle and holds one storage.
func (m *machine) nestedStorage(b []byte) (*storage, error) {
	if m.nested {
		return nil, m.refuse("a file inside a file inside a file")
	}
	inner := *m.session
	inner.nested = true
	src, r := bytes.NewReader(b), limits.OverBytes(b)
	first := &machine{session: &inner, r: r, where: inner.where("magic number")}
	magic, err := first.run()
	if err != nil {
		return nil, err
	}
	if !isLegacyMagic(magic) {
		return nil, m.refuse("bytes that are no torch file")
	}
	root, err := inner.legacy(src, r)
	if err != nil {
		return nil, err
	}
	st, ok := root.(*storage)
	if !ok {
		return nil, m.refuse("a file inside the pickle with %s instead of a storage", kindOf(root))
	}
	return st, nil
}

func kindOrInteger(v any) string {
	if n, ok := v.(int64); ok {
		return big.NewInt(n).String()
	}
	return kindOf(v)
}
