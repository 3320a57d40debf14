package cli

import (
	"bytes"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"graft/cli/report"
	"graft/onnx"
	"graft/onnx/inspect"
)

// drawModel writes the pictures of a model that were asked for.
func (c *call) drawModel(m *onnx.Model, s *inspect.Summary, path string) error {
	html, dot := c.Text("html"), c.Text("dot")
	if html == "" && dot == "" {
		return nil
	}
	p := pictureOf(m.Graph)
	for _, file := range []struct {
		path  string
		write func(*bytes.Buffer) error
	}{
		{dot, func(b *bytes.Buffer) error { return p.writeDOT(b, filepath.Base(path)) }},
		{html, func(b *bytes.Buffer) error { return modelPage(p, s, path).Write(b) }},
	} {
		if file.path == "" {
			continue
		}
		var b bytes.Buffer
		if err := file.write(&b); err != nil {
			return err
		}
		if err := writeFile(file.path, b.Bytes()); err != nil {
			return err
		}
		c.Say("wrote %s, %s", file.path, size(int64(b.Len())))
	}
	return nil
}

// modelPage is the page of a model.
func modelPage(p *picture, s *inspect.Summary, path string) report.Model {
	page := report.Model{
		Title: filepath.Base(path),
		Summary: fmt.Sprintf("%s, %s, %s parameters, %s MACs%s", opsetText(s.Opsets), counted(s.Nodes, "node"), grouped(s.Parameters),
			magnitude(s.MACs), freeText(s.FreeDims)),
		Facts: []report.Pair{
			{Name: "file", Value: size(s.Bytes)}, {Name: "IR version", Value: fmt.Sprint(s.IRVersion)},
			{Name: "sparsity", Value: percent(s.Sparsity)}, {Name: "memory", Value: memoryText(s)},
		},
	}
	fact := func(name, value string) {
		if value != "" {
			page.Facts = append(page.Facts, report.Pair{Name: name, Value: value})
		}
	}
	fact("made by", strings.TrimSpace(s.Producer+" "+s.ProducedBy))
	for _, d := range s.Symbols {
		fact("free "+d.Name, few(d.Ports))
	}
	for _, e := range s.External {
		fact("weights in", e.Location+", "+size(e.Bytes))
	}
	for _, key := range slices.Sorted(maps.Keys(s.Metadata)) {
		fact(key, shortened(s.Metadata[key]))
	}
	ports := report.Table{Head: []string{"", "name", "type"}}
	for _, x := range s.Inputs {
		ports.Rows = append(ports.Rows, []string{"input", x.Name, x.DType + " " + shapeText(x.Shape)})
	}
	for _, x := range s.Outputs {
		ports.Rows = append(ports.Rows, []string{"output", x.Name, x.DType + " " + shapeText(x.Shape)})
	}
	operators := report.Table{Head: []string{"operator", "nodes"}}
	for _, name := range byCount(s.Operators) {
		operators.Rows = append(operators.Rows, []string{name, fmt.Sprint(s.Operators[name])})
	}
	layers := report.Table{Head: []string{"layer", "parameters", "sparsity", "type", "MACs"}}
	for _, l := range s.Layers {
		layers.Rows = append(layers.Rows, []string{l.Name + " (" + l.Op + ")", grouped(l.Parameters), percent(l.Sparsity), l.DType, grouped(l.MACs)})
	}
	page.Tables = []report.Titled{{Title: "Inputs and outputs", Open: true, Plain: true, Table: ports}, {Title: "Operators", Open: true, Table: operators},
		{Title: "Layers", Table: layers}}
	if len(p.boxes) > mostBoxes {
		page.NoGraph = fmt.Sprintf("%d nodes are more than a browser can show (%d)", len(p.boxes), mostBoxes)
	} else {
		page.Nodes, page.Arrows = p.boxes, p.arrows
	}
	return page
}
