package onnx

import "slices"

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
	uses      []Use
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
func (v *Value) Uses() []Use { return slices.Clone(v.uses) }

// NumUses is len(v.Uses()) without the copy.
func (v *Value) NumUses() int { return len(v.uses) }

// IsInitializer reports whether v carries a tensor of its own.
func (v *Value) IsInitializer() bool { return v.Const != nil || v.Sparse != nil }

// IsTensor reports whether v is, or may be, a dense tensor (not a sequence, an optional or a map).
func (v *Value) IsTensor() bool { return v.typeProto == nil && v.Type.Of == nil }

func (v *Value) removeUse(n *Node, index int) {
	for i, u := range v.uses {
		if u.Node == n && u.Index == index {
			v.uses = slices.Delete(v.uses, i, i+1)
			return
		}
	}
}
