package cli

import (
	"fmt"
	"io"
	"strconv"

	pretty "github.com/jedib0t/go-pretty/v6/table"
	prettytext "github.com/jedib0t/go-pretty/v6/text"
)

// table is human output in columns. Numbers stand to the right; cells are
// cleaned of control characters.
type table struct {
	Head []string
	Rows [][]any
}

// Add appends a row.
func (t *table) Add(cells ...any) { t.Rows = append(t.Rows, cells) }

func (t *table) render(w io.Writer) {
	p := pretty.NewWriter()
	style := pretty.StyleLight
	style.Options = pretty.OptionsNoBordersAndSeparators
	style.Format.Header = prettytext.FormatDefault
	style.Box.PaddingLeft = ""
	style.Box.PaddingRight = "  "
	p.SetStyle(style)
	if len(t.Head) > 0 {
		head := make(pretty.Row, len(t.Head))
		for i, h := range t.Head {
			head[i] = clean(h)
		}
		p.AppendHeader(head)
	}
	var columns []pretty.ColumnConfig
	for i := range t.width() {
		if t.numeric(i) {
			columns = append(columns, pretty.ColumnConfig{Number: i + 1, Align: prettytext.AlignRight, AlignHeader: prettytext.AlignRight})
		}
	}
	p.SetColumnConfigs(columns)
	for _, cells := range t.Rows {
		row := make(pretty.Row, len(cells))
		for i, c := range cells {
			row[i] = cell(c)
		}
		p.AppendRow(row)
	}
	p.SuppressTrailingSpaces()
	fmt.Fprintln(w, p.Render())
}

func (t *table) width() int {
	n := len(t.Head)
	for _, r := range t.Rows {
		n = max(n, len(r))
	}
	return n
}

// numeric says whether every cell of the column is a number.
func (t *table) numeric(column int) bool {
	for _, r := range t.Rows {
		if column >= len(r) {
			continue
		}
		switch r[column].(type) {
		case int, int32, int64, uint64, float32, float64, nil:
		default:
			return false
		}
	}
	return len(t.Rows) > 0
}

func cell(c any) string {
	switch c := c.(type) {
	case nil:
		return ""
	case float64:
		return strconv.FormatFloat(c, 'g', 6, 64)
	case float32:
		return strconv.FormatFloat(float64(c), 'g', 6, 32)
	}
	return clean(fmt.Sprint(c))
}
