package report

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
)

// What an SVG may be made of. Nothing on these lists acts, refers or loads.
var (
	drawingElements   = words("svg g title path text line rect")
	drawingAttributes = words("xmlns viewBox width height role fill stroke stroke-opacity stroke-width opacity x y x1 y1 x2 y2 d transform text-anchor font-family font-size style")
	drawingStyle      = regexp.MustCompile(`^[-a-zA-Z0-9#:;., %]*$`) // no parentheses: no url()
	drawingNamespace  = regexp.MustCompile(`^http://www\.w3\.org/2000/svg$`)
	drawingTransform  = regexp.MustCompile(`^[-a-z0-9., ()]*$`)
)

func words(s string) map[string]bool {
	set := map[string]bool{}
	for _, w := range strings.Fields(s) {
		set[w] = true
	}
	return set
}

// drawingOnly says why an svg element must not be put into a page as it is. The empty string passes.
func drawingOnly(svg string) error {
	if svg == "" {
		return nil
	}
	d := xml.NewDecoder(strings.NewReader(svg))
	var open []string // the elements we are in
	roots := 0
	for {
		token, err := d.RawToken()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("not an SVG: %w", err)
		}
		switch t := token.(type) {
		case xml.StartElement:
			if len(open) == 0 {
				roots++
			}
			if t.Name.Space != "" || !drawingElements[t.Name.Local] || (len(open) == 0) != (t.Name.Local == "svg") {
				return fmt.Errorf("element %q does not belong into a drawing", t.Name.Local)
			}
			open = append(open, t.Name.Local)
			for _, a := range t.Attr {
				value := drawingStyle
				switch a.Name.Local {
				case "transform":
					value = drawingTransform
				case "xmlns":
					value = drawingNamespace
				}
				if a.Name.Space != "" || !drawingAttributes[a.Name.Local] || !value.MatchString(a.Value) {
					return fmt.Errorf("attribute %q does not belong into a drawing", a.Name.Local)
				}
			}
		case xml.EndElement:
			last := len(open) - 1
			if last < 0 || t.Name.Space != "" || open[last] != t.Name.Local {
				return errors.New("an element is closed that is not open")
			}
			open = open[:last]
		case xml.CharData:
			if len(open) == 0 && strings.TrimSpace(string(t)) != "" {
				return errors.New("text outside of the svg element")
			}
		default: // comments, instructions and directives
			return fmt.Errorf("%T does not belong into a drawing", token)
		}
	}
	if len(open) != 0 || roots != 1 {
		return errors.New("a single svg element is wanted")
	}
	return nil
}
