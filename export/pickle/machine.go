package pickle

import (
	"graft/onnx/limits"
)

const (
	maxOpcodes  = 1_000_000
	maxStack    = 10_000
	maxMarks    = 10_000
	maxMemo     = 100_000
	maxProtocol = 5
)

// list, tuple and dict are the machine's containers. They are shared by reference, as in Python, until export copies the
// reachable part into a tree.
type (
	list  struct{ items []any }
	tuple struct{ items []any }
	dict  struct {
		keys, values []any
		index        map[any]int
	}
)

// machine runs one pickle. On its stack are nil, bool, int64, *big.Int, float64, string, []byte, onnx.DataType, *list,
// *tuple, *dict, global, *storage and *tensor.
type machine struct {
	*session
	r     *limits.Reader
	where string // "pickle", `pickle "archive/data.pkl"`
	start int64
	op    int64 // offset of the current opcode
	stack []any
	marks []int // stack heights
	memo  map[uint64]any

	// storageOf resolves a storage's persistent id; nil where none may occur.
	storageOf func(m *machine, kind storageKind, key string, elements int64) (*storage, error)
}

// run executes the pickle at the reader's position up to its STOP and gives the one value it leaves.
func (m *machine) run() (any, error) {
	m.start, m.memo = m.r.Offset(), make(map[uint64]any)
	for {
		m.op = m.r.Offset()
		if err := m.opcodes.Spend(1, m.where); err != nil {
			return nil, err
		}
		code, err := m.r.U8(m.where)
		if err != nil {
			return nil, limits.Refuse(m.where, "ends at byte %d without STOP", m.op)
		}
		if code == opStop {
			break
		}
		if err := m.step(code); err != nil {
			return nil, err
		}
		if len(m.stack) > maxStack || len(m.marks) > maxMarks || len(m.memo) > maxMemo {
			return nil, m.refuse("stack of %d, %d marks or memo of %d is over its limit (%d, %d, %d)",
				len(m.stack), len(m.marks), len(m.memo), maxStack, maxMarks, maxMemo)
		}
	}
	if len(m.stack) != 1 || len(m.marks) != 0 {
		return nil, m.refuse("STOP with %d values and %d marks on the stack", len(m.stack), len(m.marks))
	}
	return m.stack[0], nil
}

// refuse names the current opcode's position.
func (m *machine) refuse(format string, args ...any) *limits.InputError {
	e := limits.Refuse(m.where, format, args...)
	e.Reason += at(m.op)
	return e
}

func (m *machine) push(v any) { m.stack = append(m.stack, v) }

// floor is the height below which the current opcode may not reach.
func (m *machine) floor() int {
	if len(m.marks) == 0 {
		return 0
	}
	return m.marks[len(m.marks)-1]
}

// pop takes n values off the stack. The slice is valid until the next push.
func (m *machine) pop(n int) ([]any, error) {
	if len(m.stack)-m.floor() < n {
		return nil, m.refuse("the stack has too few values")
	}
	top := m.stack[len(m.stack)-n:]
	m.stack = m.stack[:len(m.stack)-n]
	return top, nil
}

// popMark takes the values above the last mark off the stack, and the mark. The slice is valid until the next push.
func (m *machine) popMark() ([]any, error) {
	if len(m.marks) == 0 {
		return nil, m.refuse("no mark on the stack")
	}
	items := m.stack[m.floor():]
	m.stack = m.stack[:m.floor()]
	m.marks = m.marks[:len(m.marks)-1]
	return items, nil
}

// top is the value on top of the stack, which stays.
func (m *machine) top() (any, error) {
	if len(m.stack) == m.floor() {
		return nil, m.refuse("the stack has too few values")
	}
	return m.stack[len(m.stack)-1], nil
}

// step executes one opcode other than STOP.
func (m *machine) step(code byte) error {
	if done, err := m.literal(code); done || err != nil {
		return err
	}
	if done, err := m.reference(code); done || err != nil {
		return err
	}
	switch code {
	case opMark:
		m.marks = append(m.marks, len(m.stack))
	case opPop:
		if len(m.marks) > 0 && len(m.stack) == m.floor() {
			m.marks = m.marks[:len(m.marks)-1]
			return nil
		}
		_, err := m.pop(1)
		return err
	case opPopMark:
		_, err := m.popMark()
		return err
	case opDup:
		v, err := m.top()
		if err != nil {
			return err
		}
		m.push(v)
	case opEmptyList:
		m.push(&list{})
	case opEmptyTuple:
		m.push(&tuple{})
	case opEmptyDict:
		m.push(&dict{})
	case opTuple1, opTuple2, opTuple3:
		items, err := m.pop(int(code-opTuple1) + 1)
		if err != nil {
			return err
		}
		m.push(&tuple{append([]any(nil), items...)})
	case opTuple, opList, opDict, opAppends, opSetItems:
		items, err := m.popMark()
		if err != nil {
			return err
		}
		return m.collect(code, items)
	case opAppend, opSetItem:
		n := 1
		if code == opSetItem {
			n = 2
		}
		items, err := m.pop(n)
		if err != nil {
			return err
		}
		return m.collect(code, items)
	default:
		if what, known := neverRead[code]; known {
			return m.refuse("opcode %s, is not read", what)
		}
		return m.refuse("unknown opcode 0x%02x", code)
	}
	return nil
}

// collect makes a container of items, or adds them to the one on top of the stack.
func (m *machine) collect(code byte, items []any) error {
	switch code {
	case opTuple:
		m.push(&tuple{append([]any(nil), items...)})
		return nil
	case opList:
		m.push(&list{append([]any(nil), items...)})
		return nil
	case opDict:
		d := &dict{}
		if err := m.setItems(d, items); err != nil {
			return err
		}
		m.push(d)
		return nil
	}
	target, err := m.top()
	if err != nil {
		return err
	}
	switch target := target.(type) {
	case *list:
		if code == opAppend || code == opAppends {
			target.items = append(target.items, items...)
			return nil
		}
	case *dict:
		if code == opSetItem || code == opSetItems {
			return m.setItems(target, items)
		}
	}
	return m.refuse("items are added to %s", kindOf(target))
}

// setItems adds keys and values in turn. A key is a plain scalar and new.
func (m *machine) setItems(d *dict, items []any) error {
	if len(items)%2 != 0 {
		return m.refuse("a key without a value")
	}
	for i := 0; i < len(items); i += 2 {
		switch key := items[i].(type) {
		case string, int64, bool, nil:
			if _, twice := d.index[key]; twice {
				return m.refuse("key %s twice in a dict", keyText(key))
			}
			if d.index == nil {
				d.index = make(map[any]int)
			}
			d.index[key] = len(d.keys)
			d.keys, d.values = append(d.keys, key), append(d.values, items[i+1])
		default:
			return m.refuse("%s as the key of a dict", kindOf(key))
		}
	}
	return nil
}
