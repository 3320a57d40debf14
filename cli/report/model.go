package report

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"graft/cli/report/layered"
)

// Model is the page of a model: its graph, which a person can move, zoom and search, beside what is known of it. Every
// string is taken as foreign and escaped.
type Model struct {
	Title   string // the file's name
	Summary string // one sentence
	Facts   []Pair
	Tables  []Titled
	Nodes   []Box
	Arrows  []Arrow
	NoGraph string // why there are no nodes
}

// Titled is a table under a heading, shown when asked for or at once.
type Titled struct {
	Title string
	Open  bool
	Plain bool // no numbers: all cells to the left
	Table
}

// Box is a node of the drawing.
type Box struct {
	Title   string // the operator
	Note    string // a second line: its weights' shapes
	Kind    string // one of Kinds
	Name    string
	Details []Pair // what a click shows
}

// Kinds are the colours of boxes: convolutions and products, normalizations, activations, pools and reductions, what
// moves elements, arithmetic, quantization, control flow, inputs and outputs, all others.
var Kinds = []string{"compute", "norm", "act", "pool", "move", "math", "quant", "control", "port", "other"}

// Arrow leads from one box to another. Net numbers the values of a box.
type Arrow struct {
	From, To, Net int
	Label         string
}

//go:embed model.html
var modelHTML string

//go:embed model.js
var modelJS string

var modelPage = template.Must(template.New("model").Funcs(template.FuncMap{"line": oneLine, "text": printable}).Parse(modelHTML))

// drawnBox and drawnArrow are what the template needs of them.
type drawnBox struct {
	Box
	Hover                                 string
	X, Y, Left, Upper, W, H, TextY, NoteY string
}

type drawnArrow struct {
	Arrow
	D string
}

// entry is what the page's script knows of a box.
type entry struct {
	Title   string      `json:"t"`
	Name    string      `json:"n"`
	Search  string      `json:"s"`
	Details [][2]string `json:"d"`
}

// Write lays the graph out and writes the page. The same model gives the same bytes.
func (m Model) Write(w io.Writer) error {
	sizes, edges := make([]layered.Size, len(m.Nodes)), make([]layered.Edge, len(m.Arrows))
	for i, b := range m.Nodes {
		sizes[i] = b.size()
	}
	for i, a := range m.Arrows {
		edges[i] = layered.Edge{From: a.From, To: a.To, Net: a.Net}
	}
	l := layered.Of(sizes, edges)
	hash := sha256.Sum256([]byte(modelJS))
	page := struct {
		Model
		Width, Height string
		Nodes         []drawnBox
		Edges         []drawnArrow
		Data          []entry
		Script        template.JS
		ScriptHash    string
	}{Model: m, Width: number(l.Width), Height: number(l.Height), Data: []entry{}, Script: template.JS(modelJS),
		ScriptHash: "sha256-" + base64.StdEncoding.EncodeToString(hash[:])}
	for i, b := range m.Nodes {
		p, s := l.Nodes[i], sizes[i]
		d := drawnBox{Box: b, Hover: strings.TrimSpace(b.Title + " " + b.Name), X: number(p.X), Y: number(p.Y), Left: number(-s.W / 2),
			Upper: number(-s.H / 2), W: number(s.W), H: number(s.H), TextY: "4", NoteY: "13"}
		d.Title, d.Note = shortened(b.Title), shortened(b.Note)
		if b.Note != "" {
			d.TextY = "-2"
		}
		page.Nodes = append(page.Nodes, d)
		e := entry{Title: oneLine(b.Title), Name: oneLine(b.Name), Details: [][2]string{}}
		words := []string{b.Title, b.Name, b.Note}
		for _, pair := range b.Details {
			e.Details = append(e.Details, [2]string{oneLine(pair.Name), printable(pair.Value)})
			words = append(words, pair.Value)
		}
		e.Search = strings.ToLower(oneLine(strings.Join(words, " ")))
		page.Data = append(page.Data, e)
	}
	for i, a := range m.Arrows {
		if a.From >= 0 && a.From < len(m.Nodes) && a.To >= 0 && a.To < len(m.Nodes) {
			page.Edges = append(page.Edges, drawnArrow{a, curve(l.Paths[i])})
		}
	}
	var b bytes.Buffer
	if err := modelPage.Execute(&b, page); err != nil {
		return fmt.Errorf("write page: %w", err)
	}
	if _, err := w.Write(b.Bytes()); err != nil {
		return fmt.Errorf("write page: %w", err)
	}
	return nil
}

// longestLabel is how many characters a box shows of a line.
const longestLabel = 28

func shortened(s string) string {
	if utf8.RuneCountInString(s) <= longestLabel {
		return s
	}
	return string([]rune(s)[:longestLabel-1]) + "…"
}

func (b Box) size() layered.Size {
	const wide, narrow = 7.2, 5.8 // a character of each line, in pixels
	w := max(wide*float64(utf8.RuneCountInString(shortened(b.Title))), narrow*float64(utf8.RuneCountInString(shortened(b.Note))))
	h := 24.0
	if b.Note != "" {
		h = 36
	}
	return layered.Size{W: max(44, w+18), H: h}
}

// curve is a path that leaves and arrives upright.
func curve(points []layered.Point) string {
	if len(points) < 2 {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "M%s %s", number(points[0].X), number(points[0].Y))
	for i := 1; i < len(points); i++ {
		p, q := points[i-1], points[i]
		if p.X == q.X {
			fmt.Fprintf(&b, "V%s", number(q.Y))
			continue
		}
		middle := number((p.Y + q.Y) / 2)
		fmt.Fprintf(&b, "C%s %s %s %s %s %s", number(p.X), middle, number(q.X), middle, number(q.X), number(q.Y))
	}
	return b.String()
}

// number is x with one digit behind the point at most.
func number(x float64) string {
	s := strconv.FormatFloat(x, 'f', 1, 64)
	return strings.TrimSuffix(s, ".0")
}
