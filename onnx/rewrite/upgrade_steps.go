package rewrite

import (
	"slices"
	"sort"

	"graft/onnx"
	"graft/onnx/op"
)

// A step is what one version of an operator changed. change brings a node from the form before to the form of that version:
// it edits n's operator, attributes and inputs, or gives values, in the forms of op.Opset, that stand in the place of n's
// outputs; where there is no equal form it fails b. A nil change says that nodes stay as they are: the version took more
// element types or attributes, or was written more clearly.
type step struct {
	op      string
	version int64
	change  func(b *op.Builder, n *onnx.Node) []*onnx.Value
}

// stepFamilies hold a step for every version up to op.Opset of every operator, but its first.
var stepFamilies = [][]step{elementwiseSteps, activationSteps, logicSteps, matrixSteps, convSteps, poolSteps, normSteps, reduceSteps,
	shapeSteps, indexSteps, resizeSteps, quantizeSteps, lossSteps, recurrentSteps, controlSteps, signalSteps}

var steps = func() map[string][]step {
	t := map[string][]step{}
	for _, f := range stepFamilies {
		for _, s := range f {
			t[s.op] = append(t[s.op], s)
		}
	}
	for _, list := range t {
		sort.Slice(list, func(i, j int) bool { return list[i].version < list[j].version })
	}
	return t
}()

// nextStep is the first step of an operator after a version; nil when there is none.
func nextStep(op string, after int64) *step {
	list := steps[op]
	i := sort.Search(len(list), func(i int) bool { return list[i].version > after })
	if i == len(list) {
		return nil
	}
	return &list[i]
}

// same lists versions after which nodes stay as they are.
func same(op string, versions ...int64) []step {
	list := make([]step, len(versions))
	for i, v := range versions {
		list[i] = step{op, v, nil}
	}
	return list
}

// sameFor is same for several operators.
func sameFor(ops []string, versions ...int64) []step {
	var list []step
	for _, o := range ops {
		list = append(list, same(o, versions...)...)
	}
	return list
}

// each is one step that several operators have in common.
func each(ops []string, version int64, change func(b *op.Builder, n *onnx.Node) []*onnx.Value) []step {
	list := make([]step, len(ops))
	for i, o := range ops {
		list[i] = step{o, version, change}
	}
	return list
}

// hints: before 6 operators could name inputs whose memory they take over.
func hints(_ *op.Builder, n *onnx.Node) []*onnx.Value {
	removeAttr(n, "consumed_inputs")
	return nil
}

// tooOld: nothing is made of the form before.
func tooOld(b *op.Builder, n *onnx.Node) []*onnx.Value {
	b.Fail("the form of %s before opset 7 is not read", n.Op)
	return nil
}

func removeAttr(n *onnx.Node, name string) {
	n.Attrs = slices.DeleteFunc(n.Attrs, func(a onnx.Attr) bool { return a.Name == name })
}

// own fails b where an attribute that decides is the enclosing function's, whose value only its calls give.
func own(b *op.Builder, n *onnx.Node, names ...string) bool {
	for _, a := range n.Attrs {
		if a.Ref != "" && slices.Contains(names, a.Name) {
			b.Fail("attribute %q is that of the function around it: inline the functions first", a.Name)
			return false
		}
	}
	return true
}

// intsToInput makes a constant input of a list of integers that was an attribute.
func intsToInput(attr string, input int) func(b *op.Builder, n *onnx.Node) []*onnx.Value {
	return toInput(attr, input, "list of integers", func(v []int64) *onnx.Tensor { return onnx.FromSlice(v) })
}

// toInput makes a constant input of an attribute of one kind.
func toInput[T float32 | []int64 | []float32](attr string, input int, kind string, tensor func(T) *onnx.Tensor) func(b *op.Builder, n *onnx.Node) []*onnx.Value {
	return func(b *op.Builder, n *onnx.Node) []*onnx.Value {
		if !own(b, n, attr) {
			return nil
		}
		if a, ok := n.Attr(attr); ok && n.Input(input) == nil {
			v, ok := a.Value.(T)
			if !ok {
				b.Fail("attribute %q is no %s", attr, kind)
				return nil
			}
			n.SetInput(input, b.Const(tensor(v)))
		}
		removeAttr(n, attr)
		return nil
	}
}

// like is a scalar constant of x's element type.
func like(b *op.Builder, x *onnx.Value, v float32) *onnx.Value {
	if x != nil && x.Type.DType == onnx.Undefined {
		return b.Node("CastLike", []*onnx.Value{b.Const(onnx.Scalar(v)), x}, 1)[0]
	}
	return b.Scalar(x, float64(v))
}

// rankOf is the rank of input i of n; -1 when it is not known.
func rankOf(n *onnx.Node, i int) int64 {
	if v := n.Input(i); v != nil && v.Type.Shape.Ranked() {
		return int64(len(v.Type.Shape))
	}
	return -1
}
