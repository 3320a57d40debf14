package onnx

import (
	"graft/onnx/internal/onnxpb"
	"graft/onnx/limits"
)

// tensors calls visit for every tensor of a model, wherever it hides: initializers, attributes of every kind, sparse
// tensors' values and indices, subgraphs, functions and training information. It stops at the first error.
func tensors(pb *onnxpb.ModelProto, visit func(t *onnxpb.TensorProto, where string) error) error {
	w := walker{visit}
	if err := w.graph(pb.Graph, "graph"); err != nil {
		return err
	}
	for _, f := range pb.Functions {
		where := "function " + f.GetName()
		if err := w.nodes(f.Node, where); err != nil {
			return err
		}
		if err := w.attributes(f.AttributeProto, where); err != nil {
			return err
		}
	}
	for _, t := range pb.TrainingInfo {
		if err := w.graph(t.Initialization, "training_info initialization"); err != nil {
			return err
		}
		if err := w.graph(t.Algorithm, "training_info algorithm"); err != nil {
			return err
		}
	}
	return nil
}

type walker struct {
	visit func(t *onnxpb.TensorProto, where string) error
}

func (w walker) graph(g *onnxpb.GraphProto, where string) error {
	if g == nil {
		return nil
	}
	for _, t := range g.Initializer {
		if err := w.visit(t, where+": initializer"); err != nil {
			return err
		}
	}
	for _, s := range g.SparseInitializer {
		if err := w.sparse(s, where+": sparse initializer"); err != nil {
			return err
		}
	}
	return w.nodes(g.Node, where)
}

func (w walker) nodes(nodes []*onnxpb.NodeProto, where string) error {
	for _, n := range nodes {
		if len(n.Attribute) == 0 {
			continue
		}
		if err := w.attributes(n.Attribute, where+": node "+n.GetName()+" ("+n.GetOpType()+")"); err != nil {
			return err
		}
	}
	return nil
}

func (w walker) attributes(attrs []*onnxpb.AttributeProto, where string) error {
	for _, a := range attrs {
		if a.T == nil && a.G == nil && a.SparseTensor == nil && a.Tensors == nil && a.Graphs == nil && a.SparseTensors == nil {
			continue
		}
		where := where + ": attribute " + a.GetName()
		if a.T != nil {
			if err := w.visit(a.T, where); err != nil {
				return err
			}
		}
		if err := w.sparse(a.SparseTensor, where); err != nil {
			return err
		}
		if err := w.graph(a.G, where); err != nil {
			return err
		}
		for _, t := range a.Tensors {
			if err := w.visit(t, where); err != nil {
				return err
			}
		}
		for _, s := range a.SparseTensors {
			if err := w.sparse(s, where); err != nil {
				return err
			}
		}
		for _, g := range a.Graphs {
			if err := w.graph(g, where); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w walker) sparse(s *onnxpb.SparseTensorProto, where string) error {
	if s == nil {
		return nil
	}
	if s.Values != nil {
		if err := w.visit(s.Values, where+", values"); err != nil {
			return err
		}
	}
	if s.Indices != nil {
		return w.visit(s.Indices, where+", indices")
	}
	return nil
}

func isExternal(t *onnxpb.TensorProto) bool {
	return t.GetDataLocation() == onnxpb.TensorProto_EXTERNAL
}

// refuseExternal refuses every tensor that is stored elsewhere.
func refuseExternal(pb *onnxpb.ModelProto) error {
	return tensors(pb, func(t *onnxpb.TensorProto, where string) error {
		if !isExternal(t) {
			return nil
		}
		return externalField(t, where).refuse("its data is in another file, and a model that is read from bytes has no folder to look in").
			WithHint("give the path of the model's file")
	})
}

// place names a tensor in a refusal.
type place string

func externalField(t *onnxpb.TensorProto, where string) place {
	return place(printable(where) + " " + limits.Name(t.GetName()))
}

func (p place) refuse(format string, args ...any) *limits.InputError {
	return limits.Refuse(string(p), format, args...)
}
