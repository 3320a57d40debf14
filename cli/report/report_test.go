package report

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"graft/training/chart"
	"graft/training/dataset"
)

func pngOf(t *testing.T, m *dataset.Image, err error) []byte {
	t.Helper()
	var b bytes.Buffer
	if err == nil {
		err = dataset.WritePNG(&b, m)
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// photo is a page as a run makes it, over a real photo.
func photo(t *testing.T) Denoise {
	clean, err := dataset.ReadImage(filepath.FromSlash("../../testdata/images/chelsea.png"))
	if err != nil {
		t.Fatal(err)
	}
	noisy := clean.Clone()
	state := uint32(1)
	for i := range noisy.Pix {
		state = state*1664525 + 1013904223
		noisy.Pix[i] += (float32(state>>8)/(1<<24) - 0.5) * 0.34
	}
	x, y := clean.Busiest(96, 64)
	var steps, sparse, dense, loss []float64
	for i := range 200 {
		s := float64(i) / 199
		steps = append(steps, s*2500)
		sparse, dense = append(sparse, 12+16*(1-math.Exp(-6*s))), append(dense, 12+17*(1-math.Exp(-9*s))-7*s*s)
		loss = append(loss, 0.2*math.Exp(-5*s)+0.01)
	}
	curves, err := chart.Figure{Title: "PSNR and loss", Panels: []chart.Panel{
		{YLabel: "PSNR (dB)", Series: []chart.Series{{Name: "sparse", X: steps, Y: sparse}, {Name: "dense", X: steps, Y: dense}}},
		{XLabel: "step", YLabel: "loss", Log: true, Series: []chart.Series{{Name: "sparse", X: steps, Y: loss}}},
	}}.SVG()
	if err != nil {
		t.Fatal(err)
	}
	var bars []chart.Bar
	for i := range 20 {
		bars = append(bars, chart.Bar{Name: fmt.Sprintf("s%d.down%d.weight", i/4, i%4), Value: 0.4 * math.Exp(-float64(i)/6), Note: fmt.Sprintf("%d of 9216", 100*i)})
	}
	zoom := func(m *dataset.Image) []byte { z, err := m.Zoom(x, y, 96, 64, 3); return pngOf(t, z, err) }
	return Denoise{
		Title:   "chelsea.png",
		Summary: "The noisy photo has 20.1 dB, the denoised one 28.0 dB; the network that draws it keeps 5 % of its weights.",
		Images:  []Picture{{"noisy, 20.1 dB", pngOf(t, noisy, nil)}, {"denoised, 28.0 dB", pngOf(t, clean, nil)}},
		Crops:   []Picture{{"noisy", zoom(noisy)}, {"denoised", zoom(clean)}, {"clean", zoom(clean)}},
		Numbers: Table{[]string{"method", "best PSNR (dB)", "final PSNR (dB)"}, [][]string{{"noisy", "20.1", "20.1"}, {"sparse", "28.1", "28.0"}, {"dense", "28.4", "23.0"}, {"mask only", "none", "12.3"}}},
		Curves:  curves, Layers: chart.BarsSVG("kept weights per layer", bars),
		Sizes:  Table{[]string{"file", "parameters", "bytes"}, [][]string{{"dense", "3,008,867", "12,071,002"}, {"model.onnx", "1,014,161", "4,101,220"}, {"model.sparse.onnx", "150,443", "1,812,004"}}},
		Steps:  []string{"A mask was learned at 128x85, 300 steps.", "The masked network was trained on the whole photo, 2500 steps."},
		Use:    []Code{{"Python, onnxruntime", "import onnxruntime as ort\nsession = ort.InferenceSession(\"model.onnx\")\nimage, = session.run(None, {})"}, {"graft", "graft run model.onnx --out picture/"}},
		Set:    []Pair{{"preset", "quick"}, {"sparsity", "0.95"}, {"seed", "0"}},
		Origin: []Pair{{"graft", "0.1.0"}, {"ONNX Runtime", "1.28.2"}, {"model.onnx, sha-256", strings.Repeat("9f", 32)}},
	}
}

func page(t *testing.T, d Denoise) string {
	t.Helper()
	var b bytes.Buffer
	if err := d.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestPage(t *testing.T) {
	d := photo(t)
	html := page(t, d)
	if html != page(t, d) {
		t.Error("a second writing differs")
	}
	if out := os.Getenv("REPORT_OUT"); out != "" {
		if err := os.WriteFile(filepath.Join(out, "report.html"), []byte(html), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []string{"default-src 'none'; style-src 'unsafe-inline'; img-src data:", "chelsea.png", "28.0 dB", "data:image/png;base64,", "<svg", "s0.down0.weight", "1,014,161", "InferenceSession(&#34;model.onnx&#34;)", "prefers-color-scheme: dark"} {
		if !strings.Contains(html, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	selfContained(t, html)
}

// selfContained: no script, no address but data of PNGs, no handler.
func selfContained(t *testing.T, html string) {
	t.Helper()
	for _, bad := range []string{`(?i)<script`, `(?i)<(iframe|object|embed|link|base|form|a|video|audio|foreignobject)\b`, `(?i)<[^>]*\son[a-z]+\s*=`, `(?i)url\(`, `(?i)javascript:`, `@import`} {
		if m := regexp.MustCompile(bad).FindString(html); m != "" {
			t.Errorf("%q in the page", m)
		}
	}
	for _, m := range regexp.MustCompile(`(?i)(src|href|action)\s*=\s*"([^"]*)"`).FindAllStringSubmatch(html, -1) {
		if !strings.HasPrefix(m[2], "data:image/png;base64,") {
			t.Errorf("address %q", m[0])
		}
	}
}

// Every string of the report holds an attack; none gets out of its place.
func TestHostileStrings(t *testing.T) {
	x := `"'><script>alert(1)</script><img src=x onerror=alert(1)>]]>{{.}}javascript:` + "\x1b[2J\x00\u202e"
	d := photo(t)
	tiny := d.Crops[0].PNG
	curves, err := chart.Figure{Title: x, Panels: []chart.Panel{{XLabel: x, YLabel: x, Series: []chart.Series{{Name: x, X: []float64{0, 1}, Y: []float64{0, 1}}}}}}.SVG()
	if err != nil {
		t.Fatal(err)
	}
	html := page(t, Denoise{
		Title: x, Summary: x, Images: []Picture{{x, tiny}}, Crops: []Picture{{x, tiny}}, Numbers: Table{[]string{x, x}, [][]string{{x, x}}},
		Curves: curves, Layers: chart.BarsSVG(x, []chart.Bar{{Name: x, Note: x}}),
		Sizes: Table{[]string{x}, [][]string{{x}}}, Steps: []string{x}, Use: []Code{{x, x}}, Set: []Pair{{x, x}}, Origin: []Pair{{x, x}},
	})
	for _, bad := range []string{"<script", "<img src=x", "\x1b", "\x00", "\u202e"} {
		if strings.Contains(html, bad) {
			t.Errorf("%q got through", bad)
		}
	}
	if n := strings.Count(html, "&lt;script&gt;"); n < 15 {
		t.Errorf("%d escaped places", n)
	}
	// Elements are those of a harmless report, no more.
	if got, want := strings.Count(html, "<img "), 2; got != want {
		t.Errorf("%d img elements, want %d", got, want)
	}
}

func TestEmptyPartsAreLeftOut(t *testing.T) {
	html := page(t, Denoise{Title: "t"})
	if n := strings.Count(html, "<h2>"); n != 0 {
		t.Errorf("%d headings in an empty report", n)
	}
	selfContained(t, html)
	if i := strings.Index(html, "<body>"); i > 0 {
		wellFormed(t, html[i:strings.Index(html, "</html>")])
	}
}

func wellFormed(t *testing.T, body string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(body))
	for {
		if _, err := d.Token(); err == io.EOF {
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

func TestRefusedParts(t *testing.T) {
	for name, d := range map[string]Denoise{
		"no PNG":     {Images: []Picture{{"x", []byte("GIF89a")}}},
		"odd row":    {Numbers: Table{[]string{"a", "b"}, [][]string{{"1"}}}},
		"script":     {Curves: `<svg><script>alert(1)</script></svg>`},
		"handler":    {Curves: `<svg onload="alert(1)"></svg>`},
		"image":      {Layers: `<svg><image href="http://x/"/></svg>`},
		"link":       {Layers: `<svg><g xlink:href="x"></g></svg>`},
		"foreign":    {Layers: `<svg><foreignObject/></svg>`},
		"style":      {Layers: `<svg><g style="fill:url(http://x/)"></g></svg>`},
		"style tag":  {Layers: `<svg><style>*{}</style></svg>`},
		"comment":    {Layers: `<svg><!-- --><g/></svg>`},
		"doctype":    {Layers: `<!DOCTYPE svg [<!ENTITY x "y">]><svg></svg>`},
		"two":        {Layers: `<svg></svg><svg></svg>`},
		"open":       {Layers: `<svg><g></svg>`},
		"crossed":    {Layers: `<svg><g></text></svg>`},
		"text":       {Layers: `hello`},
		"outside":    {Layers: `<svg></svg>hello`},
		"html first": {Layers: `<g></g>`},
		"namespace":  {Layers: `<svg xmlns="http://www.w3.org/1999/xhtml"></svg>`},
	} {
		if err := d.Write(io.Discard); err == nil {
			t.Errorf("%s: no error", name)
		} else if strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %q", name, err)
		}
	}
}
