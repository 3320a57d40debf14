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
	Inputs         []FormalInput
}

// FormalAttribute is an attribute that an operator knows.
type FormalAttribute struct {
	Name, Kind string // the kind is "int", "floats", "sparse_tensor" and so on
	Required   bool
}

// FormalInput is an input of an operator, the last of which may stand for many.
type FormalInput struct {
	Type     string          // variable: inputs of the same have the same element type
	Elements []onnx.DataType // that tensors may have
	Other    bool            // sequences, optionals or maps are taken
	Optional bool
	Variadic bool
	Mixed    bool // variadic, of types that may differ
}

//go:embed standard.txt
var standardText string

// NewestOpset is the newest opset of the default domain that the forms are of.
const NewestOpset = 28

// standard holds the forms of each operator, by domain and name, the oldest first.
var standard = sync.OnceValue(func() map[[2]string][]*Form {
	forms := map[[2]string][]*Form{}
	var sets [][]string
	for line := range strings.Lines(standardText) {
		words := strings.Fields(line)
		switch {
		case words[0] == "#":
		case words[0] == "set":
			sets = append(sets, strings.Split(words[1], ","))
		default:
			f := parseForm(words, sets)
			key := [2]string{f.Domain, f.Name}
			forms[key] = append(forms[key], f)
		}
	}
	for _, list := range forms {
		slices.SortFunc(list, func(a, b *Form) int { return int(a.Since - b.Since) })
	}
	return forms
})

// parseForm reads a line of the list, which a test holds to its syntax.
func parseForm(words []string, sets [][]string) *Form {
	number := func(i int) int { n, _ := strconv.Atoi(words[i]); return n }
	f := &Form{Domain: strings.TrimPrefix(words[0], "."), Name: words[1], Since: int64(number(2)), MinIn: number(3), MaxIn: number(4), MinOut: number(5), MaxOut: number(6)}
	for _, word := range words[7:] {
		if name, kind, ok := strings.Cut(word, ":"); ok {
			kind, required := strings.CutSuffix(kind, "!")
			f.Attributes = append(f.Attributes, FormalAttribute{name, kind, required})
			continue
		}
		slash := strings.LastIndexByte(word, '/')
		if slash < 0 {
			f.Deprecated = true
			continue
		}
		set := strings.TrimRight(word[slash+1:], "?*+")
		mark := word[slash+1+len(set):]
		in := FormalInput{Type: word[:slash], Optional: mark == "?", Variadic: mark == "*" || mark == "+", Mixed: mark == "+"}
		k, _ := strconv.Atoi(set)
		for _, name := range sets[k] {
			if d, ok := onnx.ParseDataType(name); ok {
				in.Elements = append(in.Elements, d)
			} else {
				in.Other = true
			}
		}
		f.Inputs = append(f.Inputs, in)
	}
	return f
}

// FormOf is the form that an operator of a domain has in an opset of it. It is nil when there is none; since then is the opset that
// brought the operator, 0 when none did.
func FormOf(domain, name string, opset int64) (form *Form, since int64) {
	if domain == "ai.onnx" {
		domain = ""
	}
	for _, f := range standard()[[2]string{domain, name}] {
		if since == 0 {
			since = f.Since
		}
		if f.Since <= opset {
			form = f
		}
	}
	return form, since
}

// StandardDomain reports whether the standard defines the operators of a domain.
func StandardDomain(domain string) bool {
	switch domain {
	case "", "ai.onnx", "ai.onnx.ml", "ai.onnx.preview", "ai.onnx.preview.training":
		return true
	}
	return false
}

// Input is the formal input that stands for the i-th; ok is false behind the last.
func (f *Form) Input(i int) (in FormalInput, ok bool) {
	n := len(f.Inputs)
	switch {
	case i < n:
		return f.Inputs[i], true
	case n > 0 && f.Inputs[n-1].Variadic:
		return f.Inputs[n-1], true
	}
	return in, false
}
