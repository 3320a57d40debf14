package cli

import (
	"fmt"
	"slices"
	"strings"

	"graft/onnx"
	"graft/onnx/limits"
	"graft/onnx/op"
)

// fill gives the weights of the model m those of the file at path, by name. Names that the model does not have, and tensors
// of another shape or element type, are refused together; weights that the file does not have stay as they are.
func (c *call) fill(m *onnx.Model, path string) error {
	w, err := c.readSource(path)
	if err != nil {
		return err
	}
	defer w.release()
	weights, err := weightsOf(w)
	if err != nil {
		return refused(path, err)
	}
	values, names := parameters(m.Graph)
	var problems []string
	var fitting []weight
	for _, t := range weights {
		v := values[t.name]
		switch {
		case v == nil && strings.HasSuffix(t.name, "num_batches_tracked") && len(t.dims) == 0:
			c.Detail("%s: %s, which PyTorch counts batches with, is left out", path, t.name)
		case v == nil:
			problem := fmt.Sprintf("the model has no weight %s", limits.Name(t.name))
			if near := nearest(t.name, names); near != "" && len(problems) < shownProblems {
				problem += ", did you mean " + limits.Name(near) + "?"
			}
			problems = append(problems, problem)
		default:
			if problem := misfit(t, v); problem != "" {
				problems = append(problems, problem)
			} else {
				fitting = append(fitting, t)
			}
		}
	}
	if len(problems) > 0 {
		shown := problems[:min(len(problems), shownProblems)]
		reason := strings.Join(shown, "; ")
		if n := len(problems) - len(shown); n > 0 {
			reason += fmt.Sprintf("; and %d more", n)
		}
		return &Error{File: path, Reason: reason, Code: exitInput, Hint: "weights are put in by name; nothing was written"}
	}
	for _, t := range fitting {
		if err := setFrom(m.Graph, values[t.name], t); err != nil {
			return refused(path, err)
		}
		delete(values, t.name)
	}
	kept := slices.DeleteFunc(names, func(n string) bool { return values[n] == nil })
	c.Say("%d weights from %s", len(fitting), path)
	if len(kept) > 0 {
		c.Say("%d weights keep their values: %s", len(kept), limits.Names(kept, 8))
	}
	return nil
}

// shownProblems is how many weights that do not fit a message names.
const shownProblems = 8

// parameters are the values that weights can be put in the place of, by name: initializers, and outputs of Constant nodes.
// names are those of the initializers alone.
func parameters(g *onnx.Graph) (values map[string]*onnx.Value, names []string) {
	values = map[string]*onnx.Value{}
	for _, n := range g.Nodes() {
		if v := n.Output(0); op.ConstantOf(v) != nil {
			values[v.Name] = v
		}
	}
	for _, v := range g.Initializers() {
		values[v.Name] = v
		names = append(names, v.Name)
	}
	return values, names
}

// misfit says why t cannot stand in v's place; "" when it can.
func misfit(t weight, v *onnx.Value) string {
	dtype, dims := heldType(v)
	switch reversed := slices.Clone(t.dims); {
	case slices.Equal(t.dims, dims):
	case len(dims) > 1 && sameReversed(reversed, dims):
		return fmt.Sprintf("weight %s of shape %v is transposed: the model has %v", limits.Name(t.name), t.dims, dims)
	default:
		return fmt.Sprintf("weight %s has shape %v, the model's %v", limits.Name(t.name), t.dims, dims)
	}
	if t.dtype != dtype && !widens(t.dtype, dtype) {
		return fmt.Sprintf("weight %s is %v, the model's %v", limits.Name(t.name), t.dtype, dtype)
	}
	return ""
}

func sameReversed(a, b []int64) bool {
	slices.Reverse(a)
	return slices.Equal(a, b)
}

// heldType is the element type and the shape of what v holds.
func heldType(v *onnx.Value) (onnx.DataType, []int64) {
	switch t := op.ConstantOf(v); {
	case v.Sparse != nil:
		return v.Sparse.Values.DType, v.Sparse.Dims
	case v.Const != nil:
		return v.Const.DType, v.Const.Dims
	default:
		return t.DType, t.Dims
	}
}

// widens reports whether every number of a floating-point type is one of another.
func widens(from, to onnx.DataType) bool {
	half := from == onnx.Float16 || from == onnx.BFloat16
	return half && (to == onnx.Float || to == onnx.Double) || from == onnx.Float && to == onnx.Double
}

// setFrom reads t and puts it in the place of what v holds.
func setFrom(g *onnx.Graph, v *onnx.Value, t weight) error {
	dtype, _ := heldType(v)
	read, err := t.read()
	if err != nil {
		return err
	}
	read = named(read, t.name)
	if read.DType != dtype {
		values, _ := read.Reals()
		wide := onnx.NewTensor(dtype, read.Dims...)
		wide.Name = t.name
		for i, x := range values {
			if dtype == onnx.Float {
				wide.Float32s()[i] = float32(x)
			} else {
				onnx.View[float64](wide)[i] = x
			}
		}
		read = wide
	}
	if v.IsInitializer() {
		v.Const, v.Sparse = read, nil
		return nil
	}
	v.Name = ""
	return g.ReplaceUses(v, g.AddInitializer(t.name, read))
}
