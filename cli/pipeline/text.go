package pipeline

import (
	"errors"
	"fmt"
	"strings"
)

// Text is a word of a step, taken apart at its references: ${inputs.NAME}, ${matrix.AXIS}, ${steps.NAME} for the output
// --out of a step, ${steps.NAME.FLAG} for another. $$ is a dollar sign. The environment is never looked at.
type Text struct {
	Parts []Part
	At    Position
}

// Part is literal text, or a reference when Kind is not empty.
type Part struct {
	Literal            string
	Kind, Name, Output string
}

// refs are the references of one kind.
func (t Text) refs(kind string) (list []Part) {
	for _, p := range t.Parts {
		if p.Kind == kind {
			list = append(list, p)
		}
	}
	return list
}

// kinds of references.
const (
	ofInputs = "inputs"
	ofMatrix = "matrix"
	ofSteps  = "steps"
)

func parseText(s string) (parts []Part, err error) {
	var literal strings.Builder
	flush := func() {
		if literal.Len() > 0 {
			parts = append(parts, Part{Literal: literal.String()})
			literal.Reset()
		}
	}
	for s != "" {
		i := strings.IndexByte(s, '$')
		if i < 0 {
			break
		}
		literal.WriteString(s[:i])
		s = s[i:]
		switch {
		case strings.HasPrefix(s, "$$"):
			literal.WriteByte('$')
			s = s[2:]
		case strings.HasPrefix(s, "${"):
			end := strings.IndexByte(s, '}')
			if end < 0 {
				return nil, errors.New("${ without }")
			}
			ref, err := parseRef(s[2:end])
			if err != nil {
				return nil, err
			}
			flush()
			parts = append(parts, ref)
			s = s[end+1:]
		default:
			return nil, errors.New("a dollar sign is written $$, a reference ${steps.NAME}, ${inputs.NAME} or ${matrix.NAME}")
		}
	}
	literal.WriteString(s)
	flush()
	return parts, nil
}

func parseRef(s string) (Part, error) {
	kind, rest, _ := strings.Cut(s, ".")
	name, output, has := strings.Cut(rest, ".")
	switch {
	case kind != ofInputs && kind != ofMatrix && kind != ofSteps:
		hint := didYouMean(kind, []string{ofInputs, ofMatrix, ofSteps})
		return Part{}, fmt.Errorf("%s names no input, axis or step: references are ${steps.NAME}, ${inputs.NAME} and ${matrix.NAME}%s", show("${"+s+"}"), hint)
	case !validName(name), has && (kind != ofSteps || !validName(output)):
		return Part{}, fmt.Errorf("%s: not a name of an input, axis or step", show("${"+s+"}"))
	}
	return Part{Kind: kind, Name: name, Output: output}, nil
}

// show quotes text out of a file for a message.
func show(s string) string {
	const longest = 80
	if len(s) > longest {
		s = strings.ToValidUTF8(s[:longest], "") + "..."
	}
	return fmt.Sprintf("%q", s)
}
