package pickle

import (
	"strconv"

	"graft/onnx/limits"
)

// reference executes the opcodes that name something: the memo, globals, persistent ids, and what is made of them; and the
// two that frame the stream. done is false for any other opcode.
func (m *machine) reference(code byte) (done bool, err error) {
	switch code {
	case opProto:
		var version byte
		if version, err = m.r.U8(m.where); err == nil && (version > maxProtocol || m.op != m.start) {
			err = m.refuse("pickle protocol %d, at most %d and only at the beginning", version, maxProtocol)
		}
	case opFrame:
		var n uint64
		if n, err = m.r.U64(m.where); err == nil {
			err = m.r.Need(n, m.where)
		}
	case opGet, opBinGet, opLongBinGet, opPut, opBinPut, opLongBinPut, opMemoize:
		err = m.memoize(code)
	case opGlobal, opInst:
		var module, name string
		if module, err = m.r.Line(maxLine, m.where); err == nil {
			name, err = m.r.Line(maxLine, m.where)
		}
		if err == nil {
			err = m.global(module, name)
		}
		if err == nil && code == opInst {
			err = m.refuse("opcode %s, is not read", neverRead[opInst])
		}
	case opStackGlobal:
		var v []any
		if v, err = m.pop(2); err != nil {
			break
		}
		module, ok := v[0].(string)
		name, ok2 := v[1].(string)
		if !ok || !ok2 {
			err = m.refuse("a global named by %s and %s", kindOf(v[0]), kindOf(v[1]))
			break
		}
		err = m.global(module, name)
	case opReduce:
		err = m.reduce()
	case opBuild:
		err = m.build()
	case opBinPersID:
		err = m.persistent()
	default:
		return false, nil
	}
	return true, err
}

// memoize stores the top of the stack or fetches what was stored.
func (m *machine) memoize(code byte) error {
	var key uint64
	var err error
	switch code {
	case opMemoize:
		key = uint64(len(m.memo))
	case opGet, opPut:
		var line string
		if line, err = m.r.Line(maxDigits, m.where); err == nil {
			if key, err = strconv.ParseUint(line, 10, 32); err != nil {
				err = m.refuse("memo key %s", limits.Name(line))
			}
		}
	case opBinGet, opBinPut:
		var b byte
		b, err = m.r.U8(m.where)
		key = uint64(b)
	default:
		var n uint32
		n, err = m.r.U32(m.where)
		key = uint64(n)
	}
	if err != nil {
		return err
	}
	if code == opGet || code == opBinGet || code == opLongBinGet {
		v, ok := m.memo[key]
		if !ok {
			return m.refuse("nothing is stored under memo key %d", key)
		}
		m.push(v)
		return nil
	}
	v, err := m.top()
	m.memo[key] = v
	return err
}

// global pushes an allowed global.
func (m *machine) global(module, name string) error {
	g, ok := allowed[module+" "+name]
	if !ok {
		return m.refuse("global %+q is not allowed", clip(module)+"."+clip(name)).
			WithHint("only tensors and plain containers are read: load the file in PyTorch and save model.state_dict()")
	}
	m.push(g)
	return nil
}

// clip cuts s to 100 bytes.
func clip(s string) string { return s[:min(len(s), 100)] }

// reduce applies the global below the top to the tuple on top.
func (m *machine) reduce() error {
	v, err := m.pop(2)
	if err != nil {
		return err
	}
	g, ok := v[0].(global)
	args, ok2 := v[1].(*tuple)
	if !ok || !ok2 || g.make == 0 {
		return m.refuse("%s applied to %s", kindOf(v[0]), kindOf(v[1]))
	}
	made, err := m.construct(g.make, args.items)
	if err != nil {
		return err
	}
	m.push(made)
	return nil
}

// build takes the state off the stack. Only an OrderedDict may have one (a state dict's _metadata), and it is dropped.
func (m *machine) build() error {
	v, err := m.pop(1)
	if err != nil {
		return err
	}
	state, ok := v[0].(*dict)
	target, err := m.top()
	if err != nil {
		return err
	}
	if _, isDict := target.(*dict); !isDict || !ok {
		return m.refuse("%s set as the state of %s", kindOf(v[0]), kindOf(target))
	}
	for _, key := range state.keys {
		if key != "_metadata" {
			return m.refuse("attribute %s set on a dict", keyText(key))
		}
	}
	return nil
}

// persistent replaces a torch storage's persistent id by the storage.
func (m *machine) persistent() error {
	v, err := m.pop(1)
	if err != nil {
		return err
	}
	id, ok := v[0].(*tuple)
	if !ok || m.storageOf == nil || len(id.items) != 5 && len(id.items) != 6 || id.items[0] != "storage" {
		return m.refuse("a persistent id that is no torch storage's")
	}
	class, ok := id.items[1].(global)
	key, ok2 := id.items[2].(string)
	_, ok3 := id.items[3].(string)
	elements, ok4 := id.items[4].(int64)
	if !ok || !ok2 || !ok3 || !ok4 || class.storage == 0 || elements < 0 {
		return m.refuse("a persistent id that is no torch storage's")
	}
	if len(id.items) == 6 && id.items[5] != nil {
		return m.refuse("storage %s is a view of another, which no PyTorch since 0.4 writes", limits.Name(key)).
			WithHint("load the file in PyTorch and save it again")
	}
	s, err := m.storageOf(m, class.storage, key, elements)
	if err != nil {
		return err
	}
	m.push(s)
	return nil
}
