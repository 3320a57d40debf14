package op

import (
	_ "embed"
	"slices"
	"strconv"
	"strings"
	"sync"

	"graft/onnx"
)

// Form is what the standard says of one version of an operator. It knows every operator of the standard's domains in every
// version, where a Schema knows how to infer the newer ones.
type Form struct {
	Domain, Name   string
	Since          int64 // opset
	MinIn, MaxIn   int   // inputs; MaxIn is -1 without a bound, as MaxOut
	MinOut, MaxOut int
	Deprecated     bool
	Attributes     []FormalAttribute
	Inputs         []Formal
	Outputs        []Formal
}

// FormalAttribute is an attribute that an operator knows.
type FormalAttribute struct {
	Name, Kind string // the kind is "int", "floats", "sparse_tensor" and so on
	Required   bool
	Default    string // what holds without it, lists separated by commas
	HasDefault bool
}

// Formal is an input or an output of an operator, the last of which may stand for many.
type Formal struct {
	Type     string          // variable: those of the same have the same element type
	Elements []onnx.DataType // that tensors may have
	Other    bool            // sequences, optionals or maps are taken
	Optional bool
	Variadic bool
	Mixed    bool // variadic, of types that may differ
}

// standardText is written by testdata/peers/standard.py.
//
//go:embed standard.txt
var standardText string

// NewestOpset is the newest opset of the default domain that the forms are of.
const NewestOpset = 28

// standard is the list, by domain and name of the operator. The forms of one are parsed when it is asked for.
var standard = sync.OnceValue(func() *formTable {
	t := &formTable{lines: map[[2]string]string{}}
	key, first, at := [2]string{}, 0, 0
	for line := range strings.Lines(standardText) {
		switch domain, rest, _ := strings.Cut(line, " "); domain {
		case "#":
		case "set":
			t.sets = append(t.sets, parseSet(strings.TrimSpace(rest)))
		default:
			name, _, _ := strings.Cut(rest, " ")
			if k := [2]string{strings.TrimPrefix(domain, "."), name}; k != key {
				t.lines[key] = standardText[first:at]
				key, first = k, at
			}
		}
		at += len(line)
	}
	t.lines[key] = standardText[first:]
	delete(t.lines, [2]string{})
	return t
})

type formTable struct {
	lines map[[2]string]string
	sets  []elementSet
	forms sync.Map // of [2]string to []*Form
}

// elementSet is a set of types that a formal may have.
type elementSet struct {
	elements []onnx.DataType
	other    bool
}

func parseSet(names string) elementSet {
	var set elementSet
	for name := range strings.SplitSeq(names, ",") {
		if d, ok := onnx.ParseDataType(name); ok {
			set.elements = append(set.elements, d)
		} else {
			set.other = true
		}
	}
	return set
}

// of gives the forms of an operator, the oldest first.
func (t *formTable) of(domain, name string) []*Form {
	key := [2]string{domain, name}
	if list, ok := t.forms.Load(key); ok {
		return list.([]*Form)
	}
	var list []*Form
	for line := range strings.Lines(t.lines[key]) {
		list = append(list, parseForm(strings.Fields(line), t.sets))
	}
	if list == nil {
		return nil
	}
	slices.SortFunc(list, func(a, b *Form) int { return int(a.Since - b.Since) })
	t.forms.Store(key, list)
	return list
}

// parseForm reads a line of the list, which a test holds to its syntax.
func parseForm(words []string, sets []elementSet) *Form {
	number := func(i int) int { n, _ := strconv.Atoi(words[i]); return n }
	f := &Form{Domain: strings.TrimPrefix(words[0], "."), Name: words[1], Since: int64(number(2)), MinIn: number(3), MaxIn: number(4), MinOut: number(5), MaxOut: number(6)}
	list := &f.Inputs
	for _, word := range words[7:] {
		if word == ">" {
			list = &f.Outputs
			continue
		}
		if name, kind, ok := strings.Cut(word, ":"); ok {
			kind, value, given := strings.Cut(kind, "=")
			kind, required := strings.CutSuffix(kind, "!")
			f.Attributes = append(f.Attributes, FormalAttribute{name, kind, required, value, given})
			continue
		}
		slash := strings.LastIndexByte(word, '/')
		if slash < 0 {
			f.Deprecated = true
			continue
		}
		set := strings.TrimRight(word[slash+1:], "?*+")
		mark := word[slash+1+len(set):]
		k, _ := strconv.Atoi(set)
		in := Formal{Type: word[:slash], Elements: sets[k].elements, Other: sets[k].other,
			Optional: mark == "?", Variadic: mark == "*" || mark == "+", Mixed: mark == "+"}
		*list = append(*list, in)
	}
	return f
}

// Forms gives the forms of an operator of a domain, the oldest first; callers leave them as they are.
func Forms(domain, name string) []*Form {
	if domain == "ai.onnx" {
		domain = ""
	}
	return standard().of(domain, name)
}

// FormOf is the form that an operator of a domain has in an opset of it. It is nil when there is none; since then is the opset that
// brought the operator, 0 when none did.
func FormOf(domain, name string, opset int64) (form *Form, since int64) {
	for _, f := range Forms(domain, name) {
		if since == 0 {
			since = f.Since
		}
		if f.Since <= opset {
			form = f
		}
	}
	return form, since
}

// Attribute finds an attribute by its name.
func (f *Form) Attribute(name string) (a FormalAttribute, ok bool) {
	i := slices.IndexFunc(f.Attributes, func(a FormalAttribute) bool { return a.Name == name })
	if i < 0 {
		return a, false
	}
	return f.Attributes[i], true
}

// StandardNames lists the operators that the standard has, or had, in a domain.
func StandardNames(domain string) []string {
	var list []string
	for key := range standard().lines {
		if key[0] == domain {
			list = append(list, key[1])
		}
	}
	slices.Sort(list)
	return list
}

// StandardDomain reports whether the standard defines the operators of a domain.
func StandardDomain(domain string) bool {
	switch domain {
	case "", "ai.onnx", "ai.onnx.ml", "ai.onnx.preview", "ai.onnx.preview.training":
		return true
	}
	return false
}

// FormalAt is what stands for the i-th of a list of formal inputs or outputs; ok is false behind the last.
func FormalAt(list []Formal, i int) (in Formal, ok bool) {
	n := len(list)
	switch {
	case i < n:
		return list[i], true
	case n > 0 && list[n-1].Variadic:
		return list[n-1], true
	}
	return in, false
}
