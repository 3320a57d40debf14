package onnx

import "slices"

// Clone is a copy of m whose graph can be edited without touching m's. Tensors are shared: whoever changes a weight puts a
// new tensor in its place.
func (m *Model) Clone() *Model {
	c := *m
	c.Opsets = slices.Clone(m.Opsets)
	c.Metadata = slices.Clone(m.Metadata)
	c.Graph, _ = m.Graph.Clone()
	c.functions = nil
	for _, f := range m.functions {
		c.functions = append(c.functions, f.clone())
	}
	return &c
}

// Clone is a copy of g with the same names, and the map from g's values to the copy's. Tensors are shared. Values of graphs
// around g are read by the copy as by g.
func (g *Graph) Clone() (*Graph, map[*Value]*Value) {
	m := make(map[*Value]*Value, g.values())
	return g.cloneInto(m), m
}

func (g *Graph) cloneInto(m map[*Value]*Value) *Graph {
	c := &Graph{Name: g.Name, Doc: g.Doc, Metadata: slices.Clone(g.Metadata), extra: g.extra}
	value := func(v *Value) *Value {
		if v == nil {
			return nil
		}
		if w, ok := m[v]; ok {
			return w
		}
		return v
	}
	fresh := func(v *Value) *Value {
		if w, ok := m[v]; ok { // an initializer that is an input too
			return w
		}
		w := &Value{Name: v.Name, Type: v.Type, Doc: v.Doc, Const: v.Const, Sparse: v.Sparse,
			typeProto: v.typeProto, typeExact: v.typeExact, listed: v.listed, extra: v.extra, index: v.index}
		w.Type.Shape = v.Type.Shape.Clone()
		m[v] = w
		return w
	}
	for _, v := range g.inputs {
		c.inputs = append(c.inputs, fresh(v))
	}
	for _, v := range g.initializers {
		c.initializers = append(c.initializers, fresh(v))
	}
	order := g.Nodes()
	c.nodes = make([]*Node, 0, len(order))
	for _, n := range order {
		k := &Node{Name: n.Name, Op: n.Op, Domain: n.Domain, Overload: n.Overload, Doc: n.Doc,
			Metadata: slices.Clone(n.Metadata), Attrs: slices.Clone(n.Attrs), extra: n.extra}
		for i, a := range k.Attrs {
			switch v := a.Value.(type) {
			case *Graph:
				if v != nil {
					k.Attrs[i].Value = v.cloneInto(m)
				}
			case []*Graph:
				subs := make([]*Graph, len(v))
				for j, s := range v {
					subs[j] = s.cloneInto(m)
				}
				k.Attrs[i].Value = subs
			}
		}
		k.inputs, k.places = make([]*Value, len(n.inputs)), make([]int, len(n.inputs))
		for i, v := range n.inputs {
			k.SetInput(i, value(v))
		}
		k.outputs = make([]*Value, 0, len(n.outputs))
		for _, o := range n.outputs {
			if o == nil {
				k.outputs = append(k.outputs, nil)
				continue
			}
			w := fresh(o)
			w.producer = k
			k.outputs = append(k.outputs, w)
		}
		c.enter(k)
	}
	for _, o := range g.outputs {
		c.outputs = append(c.outputs, value(o))
	}
	return c
}
