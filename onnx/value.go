package onnx

// Value is an edge of the graph: a graph input, an initializer, or an output of a node.
type Value struct {
	Name string // unique in its graph and those around it; empty until written for values that a tool adds
	Type TensorType
	Doc  string

	// Const is an initializer's tensor; Sparse is set in its place for a sparse initializer.
	Const  *Tensor
	Sparse *SparseTensor

	// Scratch is for an analysis to keep what it knows of v while it runs; nil outside of one. It is neither written nor
	// copied.
	Scratch any

	typeProto Opaque // the type as read, when it is not a tensor's and says more than Type can
	typeExact Opaque // a tensor's type as read, when it says more than Type can (denotations)
	listed    bool   // the file repeats the type in value_info
	extra     Opaque // fields of the file that the IR does not know
	producer  *Node
	index     int
	uses      []Use // ended ones among them, with a nil Node, as many as ended says
	ended     int
}

// SparseTensor is the non-zero part of a tensor. Indices is int64: [NNZ] linear, or [NNZ, rank] coordinates.
type SparseTensor struct {
	Values  *Tensor
	Indices *Tensor
	Dims    []int64
	extra   Opaque
}

// Use is one place where a value is read: input Index of Node.
type Use struct {
	Node  *Node
	Index int
}

// Producer is the node that makes v; nil for graph inputs and initializers.
func (v *Value) Producer() *Node { return v.producer }

// OutputIndex is v's place among its producer's outputs.
func (v *Value) OutputIndex() int { return v.index }

// Uses lists where nodes read v, those in subgraphs included, graph outputs not. It is a snapshot.
func (v *Value) Uses() []Use {
	if v.NumUses() == 0 {
		return nil
	}
	list := make([]Use, 0, v.NumUses())
	for _, u := range v.uses {
		if u.Node != nil {
			list = append(list, u)
		}
	}
	return list
}

// NumUses is len(v.Uses()) without the copy.
func (v *Value) NumUses() int { return len(v.uses) - v.ended }

// IsInitializer reports whether v carries a tensor of its own.
func (v *Value) IsInitializer() bool { return v.Const != nil || v.Sparse != nil }

// IsTensor reports whether v is, or may be, a dense tensor (not a sequence, an optional or a map).
func (v *Value) IsTensor() bool { return v.typeProto == nil && v.Type.Of == nil }

// addUse enters that input index of n reads v.
func (v *Value) addUse(n *Node, index int) {
	n.places[index] = len(v.uses)
	v.uses = append(v.uses, Use{n, index})
}

// removeUse ends the use at input index of n. The others keep their order. Constants that thousands of nodes share make it
// worth doing in constant time.
func (v *Value) removeUse(n *Node, index int) {
	v.uses[n.places[index]] = Use{}
	if v.ended++; 2*v.ended <= len(v.uses) {
		return
	}
	list := v.uses[:0]
	for _, u := range v.uses {
		if u.Node != nil {
			u.Node.places[u.Index] = len(list)
			list = append(list, u)
		}
	}
	clear(v.uses[len(list):])
	v.uses, v.ended = list, 0
}
