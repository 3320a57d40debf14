package onnx

// Container is the type of a sequence or an optional: what kind it is and what it holds. It is shared between copies of a
// type: whoever changes one makes a new one.
type Container struct {
	Kind  ContainerKind
	Elem  TensorType // of every element; a tensor, or a container again
	Empty bool       // a sequence without elements: what is true of every element of another is true of its, too
}

// ContainerKind tells sequences from optionals.
type ContainerKind uint8

// The containers of the standard that hold tensors. Maps and sparse tensors are carried along unread.
const (
	Sequence ContainerKind = iota
	Optional
)

// String is the kind's name in ONNX's textual syntax.
func (k ContainerKind) String() string {
	if k == Optional {
		return "optional"
	}
	return "seq"
}

// maxContainers bounds how many containers inside each other are read. The standard has two: an optional of a sequence.
const maxContainers = 8

// SequenceOf is the type of a sequence of t.
func SequenceOf(t TensorType) TensorType { return TensorType{Of: &Container{Kind: Sequence, Elem: t}} }

// OptionalOf is the type of a t that may be absent.
func OptionalOf(t TensorType) TensorType { return TensorType{Of: &Container{Kind: Optional, Elem: t}} }

// complete reports whether t says enough to be written: the format has no types without an element type.
func (t TensorType) complete() bool {
	for t.Of != nil {
		t = t.Of.Elem
	}
	return t.DType != Undefined
}

// Equal reports whether both say the same. Two unknown dimensions are equal.
func (t TensorType) Equal(u TensorType) bool {
	for t.Of != nil && u.Of != nil {
		if t.Of.Kind != u.Of.Kind || t.Of.Empty != u.Of.Empty {
			return false
		}
		t, u = t.Of.Elem, u.Of.Elem
	}
	return t.Of == nil && u.Of == nil && t.DType == u.DType && t.Shape.Equal(u.Shape)
}
