package rewrite

import (
	"errors"
	"fmt"
	"slices"

	"graft/onnx"
	"graft/onnx/limits"
	"graft/onnx/op"
)

// Part is one of the models that Merge makes one of.
type Part struct {
	Name  string // names that collide become "Name/..."
	Model *onnx.Model
}

// Link feeds an input with an output of an earlier part; both are given by the part's position.
type Link struct {
	From   int
	Output string
	To     int
	Input  string
}

// Merge makes one model of parts, in place of the first: their nodes side by side, outputs feeding inputs as links say.
// Outputs that feed an input are outputs no longer. Inputs that share lists are one input, wherever parts have them.
//
// Names inside the parts that collide are changed in the later part, symbols of dimensions too, but where a link says that
// they are one. Two remaining inputs or outputs of one name are refused. Parts of different opsets are upgraded (see
// Upgrade); functions that two parts define differently are put in the place of their calls. It gives how many values have
// new names. On an error the parts are half done.
func Merge(parts []Part, links []Link, share []string) (renamed int, err error) {
	if len(parts) == 0 {
		return 0, errors.New("merge: no model")
	}
	if err := alignOpsets(parts); err != nil {
		return 0, err
	}
	feeds, err := resolve(parts, links)
	if err != nil {
		return 0, err
	}
	inputs, outputs, merged, err := endsOf(parts, feeds, share)
	if err != nil {
		return 0, err
	}
	ends, taken := map[*onnx.Value]bool{}, map[string]bool{}
	for _, v := range slices.Concat(inputs, outputs) {
		ends[v], taken[v.Name] = true, true
	}
	for _, v := range merged {
		ends[v] = true // no longer an end, gone once its readers read the other one
	}
	for _, f := range feeds {
		ends[f.in] = true
	}
	known := names{}
	for _, p := range parts {
		known.add(p.Model.Graph)
	}
	seen := map[string]bool{}
	dims := symbols{}
	for k, p := range parts {
		g := p.Model.Graph
		dims.separate(g, k, feeds)
		renamed += known.giveWay(g, func(v *onnx.Value) bool { return !ends[v] && (taken[v.Name] || seen[v.Name]) }, p.Name)
		for n := range namesOf(g) {
			seen[n] = true
		}
	}
	first := parts[0].Model
	for k, p := range parts {
		for _, f := range feeds {
			if f.link.To == k {
				if err := feed(parts, f); err != nil {
					return renamed, err
				}
			}
		}
		for v, one := range merged.of(p.Model.Graph) {
			if err := p.Model.Graph.ReplaceUses(v, one); err != nil {
				return renamed, fmt.Errorf("merge: input %s: %w", limits.Name(one.Name), err)
			}
			p.Model.Graph.ReplaceHandedOut(map[*onnx.Value]*onnx.Value{v: one})
		}
	}
	for _, p := range parts[1:] {
		if err := takeModel(first, p.Model); err != nil {
			return renamed, err
		}
	}
	first.Graph.SetInputs(inputs...)
	first.Graph.SetOutputs(outputs...)
	first.Graph.RemoveUnused()
	return renamed, nil
}

// alignOpsets brings all parts to the same version of each domain, and their functions out of each other's way.
func alignOpsets(parts []Part) error {
	differ := slices.ContainsFunc(parts, func(p Part) bool { return p.Model.Opset("") != parts[0].Model.Opset("") })
	byKey := map[onnx.FunctionKey]string{}
	for i, p := range parts {
		clash := false
		for _, f := range p.Model.Functions() {
			text, err := functionBytes(f)
			if err != nil {
				return fmt.Errorf("merge: %s: %w", limits.Name(p.Name), err)
			}
			if other, ok := byKey[f.Key()]; ok && other != text {
				clash = true
			} else {
				byKey[f.Key()] = text
			}
		}
		if clash {
			if err := Inline(p.Model); err != nil {
				return fmt.Errorf("merge: %s defines a function as another model does not: %w", limits.Name(p.Name), err)
			}
		}
		if v := p.Model.Opset(""); (differ || v != parts[0].Model.Opset("")) && v != 0 {
			if v > op.Opset {
				return fmt.Errorf("merge: %s is of opset %d, %s of %d: bring both to one first, with --opset",
					limits.Name(p.Name), v, limits.Name(parts[(i+1)%len(parts)].Name), parts[(i+1)%len(parts)].Model.Opset(""))
			}
			if err := Upgrade(p.Model); err != nil {
				return fmt.Errorf("merge: %s: %w", limits.Name(p.Name), err)
			}
		}
	}
	versions := map[string]int64{}
	for _, p := range parts {
		for _, o := range p.Model.Opsets {
			domain := o.Domain
			if domain == "ai.onnx" {
				domain = ""
			}
			if v, ok := versions[domain]; ok && v != o.Version {
				return fmt.Errorf("merge: domain %s is imported in versions %d and %d, which have no common form here", limits.Name(domain), v, o.Version)
			}
			versions[domain] = o.Version
		}
	}
	return nil
}

// functionBytes is what tells a function from another of its name.
func functionBytes(f *onnx.Function) (string, error) {
	alone := &onnx.Model{IRVersion: onnx.NewestIR, Opsets: f.Opsets, Graph: onnx.NewGraph("")}
	alone.SetFunctions(f)
	b, err := alone.Encode()
	return string(b), err
}

// feedOf is a link with its values.
type feedOf struct {
	link    Link
	out, in *onnx.Value
}

func resolve(parts []Part, links []Link) ([]feedOf, error) {
	var feeds []feedOf
	fed := map[*onnx.Value]bool{}
	for _, l := range links {
		if l.From < 0 || l.To <= l.From || l.To >= len(parts) {
			return nil, fmt.Errorf("merge: a model feeds only later ones, not %d the %dth", l.From+1, l.To+1)
		}
		out := byName(parts[l.From].Model.Graph.Outputs(), l.Output)
		in := byName(parts[l.To].Model.Graph.Inputs(), l.Input)
		switch {
		case out == nil:
			return nil, fmt.Errorf("merge: %s has no output %s", limits.Name(parts[l.From].Name), limits.Name(l.Output))
		case in == nil:
			return nil, fmt.Errorf("merge: %s has no input %s", limits.Name(parts[l.To].Name), limits.Name(l.Input))
		case in.IsInitializer():
			return nil, fmt.Errorf("merge: input %s is an initializer, a weight", limits.Name(l.Input))
		case fed[in]:
			return nil, fmt.Errorf("merge: input %s is fed twice", limits.Name(l.Input))
		}
		fed[in] = true
		feeds = append(feeds, feedOf{l, out, in})
	}
	return feeds, nil
}

func byName(list []*onnx.Value, name string) *onnx.Value {
	for _, v := range list {
		if v.Name == name {
			return v
		}
	}
	return nil
}

// sharing maps inputs to the input of the same name that stands for them.
type sharing map[*onnx.Value]*onnx.Value

// of is the part of the map that concerns g.
func (s sharing) of(g *onnx.Graph) sharing {
	part := sharing{}
	for _, v := range g.Inputs() {
		if s[v] != nil {
			part[v] = s[v]
		}
	}
	return part
}

// endsOf lists the inputs and outputs that the merged model has, each with a name of its own.
func endsOf(parts []Part, feeds []feedOf, share []string) (inputs, outputs []*onnx.Value, merged sharing, err error) {
	used := map[*onnx.Value]bool{}
	for _, f := range feeds {
		used[f.in], used[f.out] = true, true
	}
	merged = sharing{}
	taken := map[string]*onnx.Value{}
	claimed := map[string]string{}
	add := func(p Part, v *onnx.Value, kind string) error {
		if other, ok := claimed[v.Name]; ok && taken[v.Name] != v {
			return fmt.Errorf("merge: %s %s of %s is called as one of %s: rename one of them first, or share the input",
				kind, limits.Name(v.Name), limits.Name(p.Name), limits.Name(other))
		}
		taken[v.Name], claimed[v.Name] = v, p.Name
		return nil
	}
	shared := map[string]int{}
	for _, p := range parts {
		for _, v := range p.Model.Graph.Inputs() {
			if used[v] {
				continue
			}
			if slices.Contains(share, v.Name) && !v.IsInitializer() {
				shared[v.Name]++
				if one := taken[v.Name]; one != nil && slices.Contains(inputs, one) {
					merged[v] = one
					continue
				}
			}
			if v.IsInitializer() {
				inputs = append(inputs, v) // a weight that may be fed: its name gives way as those inside do
				continue
			}
			if err := add(p, v, "input"); err != nil {
				return nil, nil, nil, err
			}
			inputs = append(inputs, v)
		}
	}
	for _, n := range share {
		if shared[n] < 2 {
			return nil, nil, nil, fmt.Errorf("merge: %d models have an input %s to share", shared[n], limits.Name(n))
		}
	}
	for _, p := range parts {
		for _, v := range p.Model.Graph.Outputs() {
			if merged[v] != nil || isFed(v, feeds) {
				return nil, nil, nil, fmt.Errorf("merge: output %s of %s is one of its inputs: drop it first", limits.Name(v.Name), limits.Name(p.Name))
			}
			if used[v] {
				continue
			}
			if err := add(p, v, "output"); err != nil {
				return nil, nil, nil, err
			}
			outputs = append(outputs, v)
		}
	}
	if len(outputs) == 0 {
		return nil, nil, nil, errors.New("merge: no output would be left")
	}
	return inputs, outputs, merged, nil
}

func isFed(v *onnx.Value, feeds []feedOf) bool {
	return slices.ContainsFunc(feeds, func(f feedOf) bool { return f.in == v })
}

// feed makes the readers of an input read the output that feeds it.
func feed(parts []Part, f feedOf) error {
	g := parts[f.link.To].Model.Graph
	if f.out.IsTensor() != f.in.IsTensor() {
		return fmt.Errorf("merge: %s cannot feed %s: one is a tensor", limits.Name(f.link.Output), limits.Name(f.link.Input))
	}
	if err := g.ReplaceUses(f.in, f.out); err != nil {
		return fmt.Errorf("merge: %s cannot feed %s: %w", limits.Name(f.link.Output), limits.Name(f.link.Input), err)
	}
	g.ReplaceHandedOut(map[*onnx.Value]*onnx.Value{f.in: f.out})
	return nil
}

// takeModel moves the graph of other, and what the file says, into m.
func takeModel(m, other *onnx.Model) error {
	other.Graph.SetInputs()
	if err := m.Graph.Take(other.Graph); err != nil {
		return fmt.Errorf("merge: %w", err)
	}
	m.IRVersion = max(m.IRVersion, other.IRVersion)
	for _, o := range other.Opsets {
		if m.Opset(o.Domain) == 0 {
			m.SetOpset(o.Domain, o.Version)
		}
	}
	for _, kv := range other.Metadata {
		if _, ok := m.Metadata.Get(kv.Key); !ok {
			m.Metadata.Set(kv.Key, kv.Value)
		}
	}
	fs := m.Functions()
	for _, f := range other.Functions() {
		if !slices.ContainsFunc(fs, func(g *onnx.Function) bool { return g.Key() == f.Key() }) {
			fs = append(fs, f)
		}
	}
	m.SetFunctions(fs...)
	return nil
}
