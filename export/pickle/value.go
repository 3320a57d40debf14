package pickle

import (
	"math/big"
	"strconv"

	"graft/onnx"
	"graft/onnx/limits"
)

const (
	maxDepth  = 100
	maxValues = 1_000_000
)

// Tuple is a Python tuple. A Python list is a []any.
type Tuple []any

// Dict is a Python dict or OrderedDict in its order.
type Dict struct {
	Keys   []any // string, int64, bool or nil
	Values []any
}

// Get is the value under a string key.
func (d *Dict) Get(key string) (value any, ok bool) {
	for i, k := range d.Keys {
		if k == key {
			return d.Values[i], true
		}
	}
	return nil, false
}

// File is what a file holds.
type File struct {
	Name   string // as given
	Format string // "torch zip", "torch legacy" or "pickle"
	// Root is nil, bool, int64, *big.Int, float64, string, []byte, onnx.DataType, *onnx.Tensor, []any, Tuple or *Dict.
	Root any
}

// exporter copies what is reachable from a pickle's result into a tree.
type exporter struct {
	*session
	where    string
	depth    *limits.Depth
	open     map[any]bool // containers on the path from the root
	contents map[*storage][]byte
	taken    map[*byte]bool // first bytes of storages that a tensor owns
}

func (s *session) export(root any, where string) (any, error) {
	x := &exporter{session: s, where: where, depth: limits.NewDepth(maxDepth), open: make(map[any]bool),
		contents: make(map[*storage][]byte), taken: make(map[*byte]bool)}
	return x.value(root)
}

func (x *exporter) value(v any) (any, error) {
	if err := x.values.Spend(1, x.where); err != nil {
		return nil, err
	}
	switch v := v.(type) {
	case nil, bool, int64, *big.Int, float64, string, []byte:
		return v, nil
	case global:
		if v.dtype != 0 {
			return v.dtype, nil
		}
		return nil, limits.Refuse(x.where, "%s as a value", v.name)
	case *tensor:
		return x.tensor(v)
	case *storage:
		t := &tensor{storage: v, dtype: v.kind.dtype(), sizes: &tuple{[]any{v.bytes / elementBytes(v.kind.dtype())}}, strides: &tuple{[]any{int64(1)}}}
		return x.tensor(t)
	case *list:
		items, err := x.items(v, v.items)
		return items, err
	case *tuple:
		items, err := x.items(v, v.items)
		return Tuple(items), err
	case *dict:
		values, err := x.items(v, v.values)
		return &Dict{append([]any(nil), v.keys...), values}, err
	}
	return nil, limits.Refuse(x.where, "%s as a value", kindOf(v))
}

// items copies the contents of one container.
func (x *exporter) items(container any, items []any) ([]any, error) {
	if x.open[container] {
		return nil, limits.Refuse(x.where, "%s contains itself", kindOf(container))
	}
	if err := x.depth.Enter(x.where); err != nil {
		return nil, err
	}
	x.open[container] = true
	out := make([]any, 0, min(len(items), int(x.values.Left())))
	for _, v := range items {
		c, err := x.value(v)
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	delete(x.open, container)
	x.depth.Leave()
	return out, nil
}

// Tensors are the tensors of the file with their names, in order: the keys of a state dict, joined by dots where
// containers are nested; positions stand for the names in lists and tuples. A tensor that is the whole file has no name.
// Values that are no tensors are left out. Tensors that occur twice share their data.
func (f *File) Tensors() ([]*onnx.Tensor, error) {
	var out []*onnx.Tensor
	seen := make(map[string]bool)
	budget := limits.NewBudget("bytes of names", 32<<20)
	var walk func(name string, v any) error
	walk = func(name string, v any) error {
		if err := budget.Spend(int64(len(name)), "pickle"); err != nil {
			return err
		}
		child := func(key string) string {
			if name == "" {
				return key
			}
			return name + "." + key
		}
		switch v := v.(type) {
		case *onnx.Tensor:
			if seen[name] {
				return limits.Refuse("pickle", "two tensors are called %s", limits.Name(name))
			}
			seen[name] = true
			t := *v
			t.Name = name
			out = append(out, &t)
		case *Dict:
			for i, key := range v.Keys {
				text, ok := key.(string)
				if !ok {
					text = keyText(key)
				}
				if err := walk(child(text), v.Values[i]); err != nil {
					return err
				}
			}
		case []any:
			return walkItems(walk, child, v)
		case Tuple:
			return walkItems(walk, child, v)
		}
		return nil
	}
	if err := walk("", f.Root); err != nil {
		return nil, limits.InFile(f.Name, err)
	}
	return out, nil
}

func walkItems(walk func(string, any) error, child func(string) string, items []any) error {
	for i, v := range items {
		if err := walk(child(strconv.Itoa(i)), v); err != nil {
			return err
		}
	}
	return nil
}
