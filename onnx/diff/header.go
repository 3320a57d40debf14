package diff

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	"graft/onnx"
)

func (c *comparison) model(what, a, b string) {
	if a != b {
		c.report.Model = append(c.report.Model, Change{what, a, b})
	}
}

func (c *comparison) note(what, a, b string) {
	if a != b {
		c.report.Notes = append(c.report.Notes, Change{what, a, b})
	}
}

// header compares what stands around the graphs.
func (c *comparison) header(a, b *onnx.Model) {
	c.opsets("", a.Opsets, b.Opsets)
	meta := [2]map[string]string{{}, {}}
	for i, m := range []*onnx.Model{a, b} {
		for _, kv := range m.Metadata {
			meta[i][kv.Key] = kv.Value
		}
	}
	for _, key := range keys(meta[0], meta[1]) {
		c.model("metadata "+key, shown(meta[0], key), shown(meta[1], key))
	}
	c.note("IR version", strconv.FormatInt(a.IRVersion, 10), strconv.FormatInt(b.IRVersion, 10))
	c.note("producer", a.ProducerName, b.ProducerName)
	c.note("producer version", a.ProducerVersion, b.ProducerVersion)
	c.note("domain", a.Domain, b.Domain)
	c.note("model version", strconv.FormatInt(a.Version, 10), strconv.FormatInt(b.Version, 10))
	c.note("doc", a.Doc, b.Doc)
	if a.Graph != nil && b.Graph != nil {
		c.note("graph name", a.Graph.Name, b.Graph.Name)
	}
}

func (c *comparison) opsets(where string, a, b []onnx.Opset) {
	versions := [2]map[string]string{{}, {}}
	for i, list := range [][]onnx.Opset{a, b} {
		for _, o := range list {
			domain := o.Domain
			if domain == "" {
				domain = "ai.onnx"
			}
			versions[i][domain] = strconv.FormatInt(o.Version, 10)
		}
	}
	for _, domain := range keys(versions[0], versions[1]) {
		c.model(where+"opset "+domain, versions[0][domain], versions[1][domain])
	}
}

// functions compares the operators that the models define.
func (c *comparison) functions(a, b *onnx.Model) {
	own := [2]map[string]*onnx.Function{{}, {}}
	for i, m := range []*onnx.Model{a, b} {
		for _, f := range m.Functions() {
			k := f.Key()
			name := k.Domain + "::" + k.Name
			if k.Overload != "" {
				name += ":" + k.Overload
			}
			own[i][name] = f
		}
	}
	for _, name := range keys(own[0], own[1]) {
		f, g := own[0][name], own[1][name]
		where := "function " + name
		if f == nil || g == nil {
			c.model(where, presence(f != nil), presence(g != nil))
			continue
		}
		c.opsets(where+" ", f.Opsets, g.Opsets)
		c.model(where+" attributes", fmt.Sprint(f.Attributes), fmt.Sprint(g.Attributes))
		for _, change := range c.attributes(f.Defaults, g.Defaults, false) {
			c.model(where+" "+change.What, change.A, change.B)
		}
		if f.Body != nil && g.Body != nil {
			c.model(where+" inputs", strconv.Itoa(len(f.Body.Inputs())), strconv.Itoa(len(g.Body.Inputs())))
			c.digests.graph(f.Body)
			c.digests.graph(g.Body)
			c.graphs(f.Body, g.Body, where)
		}
	}
}

// signature compares inputs and outputs of the main graphs, by name where both have the name and else by place, and lets
// the digests know which input is which.
func (c *comparison) signature(a, b *onnx.Graph) {
	for _, kind := range []struct {
		name   string
		values [2][]*onnx.Value
	}{{"input", [2][]*onnx.Value{fed(a), fed(b)}}, {"output", [2][]*onnx.Value{a.Outputs(), b.Outputs()}}} {
		for i, p := range byNameOrPlace(kind.values[0], kind.values[1]) {
			v, w := p[0], p[1]
			key := fmt.Sprintf("%s %d", kind.name, i)
			switch {
			case v == nil:
				c.model(kind.name+" "+w.Name, "", w.Type.String())
				continue
			case w == nil:
				c.model(kind.name+" "+v.Name, v.Type.String(), "")
				continue
			case v.Name != w.Name:
				c.report.Renamed.Signature = append(c.report.Renamed.Signature, [2]string{v.Name, w.Name})
			}
			if kind.name == "input" {
				c.digests.inputs[v], c.digests.inputs[w] = key, key
			}
			if !alike(v.Type, w.Type) {
				c.model(kind.name+" "+v.Name, v.Type.String(), w.Type.String())
				continue
			}
			for j, d := range v.Type.Shape {
				if e := w.Type.Shape[j]; d != e {
					r := [2]string{d.String(), e.String()}
					if !slices.Contains(c.report.Renamed.Signature, r) {
						c.report.Renamed.Signature = append(c.report.Renamed.Signature, r)
					}
				}
			}
		}
	}
}

// alike says that two types differ at most in the names of free dimensions.
func alike(a, b onnx.TensorType) bool {
	if a.Of != nil || b.Of != nil || !a.Shape.Ranked() || !b.Shape.Ranked() || len(a.Shape) != len(b.Shape) {
		return a.String() == b.String()
	}
	for i, d := range a.Shape {
		if e := b.Shape[i]; d.Known() != e.Known() || d.Known() && d.Size != e.Size {
			return false
		}
	}
	return a.DType == b.DType
}

// fed are the inputs without a value of their own.
func fed(g *onnx.Graph) []*onnx.Value {
	return slices.DeleteFunc(g.Inputs(), (*onnx.Value).IsInitializer)
}

// byNameOrPlace pairs values of the same name, then the others in order; a side is nil where the other has more.
func byNameOrPlace(a, b []*onnx.Value) [][2]*onnx.Value {
	byName := map[string]*onnx.Value{}
	for _, w := range b {
		byName[w.Name] = w
	}
	own := map[string]bool{}
	for _, v := range a {
		own[v.Name] = true
	}
	rest := slices.DeleteFunc(slices.Clone(b), func(w *onnx.Value) bool { return own[w.Name] })
	var list [][2]*onnx.Value
	for _, v := range a {
		w := byName[v.Name]
		if w == nil && len(rest) > 0 {
			w, rest = rest[0], rest[1:]
		}
		list = append(list, [2]*onnx.Value{v, w})
	}
	for _, w := range rest {
		list = append(list, [2]*onnx.Value{nil, w})
	}
	return list
}

func keys[V any](a, b map[string]V) []string {
	list := slices.Collect(maps.Keys(a))
	list = slices.AppendSeq(list, maps.Keys(b))
	slices.Sort(list)
	return slices.Compact(list)
}

// shown is the value of a key: "(absent)" where there is none, which is not the empty text.
func shown(m map[string]string, key string) string {
	if v, ok := m[key]; ok {
		return v
	}
	return "(absent)"
}

func presence(there bool) string {
	if there {
		return "defined"
	}
	return "(absent)"
}
