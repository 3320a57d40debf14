package report

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"html"
	"regexp"
	"strings"
	"testing"
)

// hostile is what a file may call a node.
const hostile = `"><script>alert(1)</script>]]><!-- ' onload=x {{.}} ` + "\x1b[2J\u202e</title></svg>"

func hostileModel() Model {
	m := Model{Title: hostile, Summary: hostile, Facts: []Pair{{hostile, hostile}},
		Tables: []Titled{{Title: hostile, Open: true, Table: Table{Head: []string{hostile}, Rows: [][]string{{hostile}}}}}}
	for range 3 {
		m.Nodes = append(m.Nodes, Box{Title: hostile, Note: hostile, Kind: "compute", Name: hostile, Details: []Pair{{hostile, hostile}}})
	}
	m.Arrows = []Arrow{{0, 1, 0, hostile}, {1, 2, 0, hostile}, {0, 2, 0, hostile}, {7, -1, 0, hostile}}
	return m
}

// TestModelHostile: what a file says is text wherever it stands, and the page's policy allows no script but its own.
func TestModelHostile(t *testing.T) {
	var b bytes.Buffer
	if err := hostileModel().Write(&b); err != nil {
		t.Fatal(err)
	}
	page := b.String()
	if n := strings.Count(page, "<script"); n != 2 {
		t.Errorf("%d script elements, want the data and the page's own", n)
	}
	if n := strings.Count(page, "</script"); n != 2 {
		t.Errorf("%d ends of script elements", n)
	}
	for _, bad := range []string{"\x1b", "\u202e", "onload=x>", "]]><", "http://", "https://", " src=", " href="} {
		if strings.Contains(page, bad) {
			t.Errorf("the page contains %q", bad)
		}
	}
	for _, attr := range regexp.MustCompile(`<[a-z]+ [^>]*onload`).FindAllString(page, -1) {
		t.Errorf("an attribute: %s", attr)
	}
	if n := strings.Count(page, "</svg>"); n != 1 {
		t.Errorf("%d ends of svg", n)
	}
}

// TestModelPolicy holds the hash in the page's policy to the script that stands in it.
func TestModelPolicy(t *testing.T) {
	var b bytes.Buffer
	if err := hostileModel().Write(&b); err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(b.String(), "</script>\n<script>")
	script, _, ok := strings.Cut(rest, "</script>")
	hash := sha256.Sum256([]byte(script))
	want := "script-src 'sha256-" + base64.StdEncoding.EncodeToString(hash[:]) + "'"
	if !ok || !strings.Contains(html.UnescapeString(b.String()), want) {
		t.Errorf("the policy does not allow the page's script: %s", want)
	}
}

func TestModelSame(t *testing.T) {
	var a, b bytes.Buffer
	if hostileModel().Write(&a) != nil || hostileModel().Write(&b) != nil || !bytes.Equal(a.Bytes(), b.Bytes()) {
		t.Error("two pages of one model differ")
	}
	if err := (Model{Title: "empty", NoGraph: "too large"}).Write(&a); err != nil || !strings.Contains(a.String(), "too large") {
		t.Error(err)
	}
}

func BenchmarkModel(b *testing.B) {
	var m Model
	for i := range 2000 {
		m.Nodes = append(m.Nodes, Box{Title: "Conv", Note: "64x64x3x3", Kind: "compute", Name: fmt.Sprint("conv", i)})
		if i > 0 {
			m.Arrows = append(m.Arrows, Arrow{i - 1, i, 0, "x"}, Arrow{i - 1 - min(i-1, i%5), i, 0, "x"})
		}
	}
	for b.Loop() {
		var page bytes.Buffer
		if err := m.Write(&page); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(page.Len()), "bytes")
	}
}
