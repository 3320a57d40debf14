package rewrite

import (
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"graft/onnx"
)

// historyText is written by testdata/peers/history.py.
//
//go:embed history.txt
var historyText string

// form is one version of an operator.
type form struct {
	version        int64
	minIn, maxIn   int
	minOut, maxOut int
	inTypes        []uint64 // by input, a bit for each element type; 0: no tensor
	outTypes       []uint64
	attributes     map[string]string // with their defaults
	withoutDefault map[string]bool
}

// history gives the versions of each operator of the default domain, in ascending order.
var history = sync.OnceValue(func() map[string][]form {
	t := map[string][]form{}
	for line := range strings.Lines(historyText) {
		f := strings.Fields(line)
		if len(f) < 8 || f[0] == "#" {
			continue
		}
		number := func(i int) int { n, _ := strconv.Atoi(f[i]); return n }
		v := form{version: int64(number(1)), minIn: number(2), maxIn: number(3), minOut: number(4), maxOut: number(5),
			inTypes: masks(f[6]), outTypes: masks(f[7]), attributes: map[string]string{}, withoutDefault: map[string]bool{}}
		for _, a := range f[8:] {
			name, value, given := strings.Cut(strings.TrimSuffix(a, "!"), "=")
			v.attributes[name] = value
			v.withoutDefault[name] = !given
		}
		t[f[0]] = append(t[f[0]], v)
	}
	return t
})

func masks(s string) []uint64 {
	var list []uint64
	_, s, _ = strings.Cut(s, ":")
	for m := range strings.SplitSeq(s, ",") {
		n, _ := strconv.ParseUint(m, 16, 64)
		list = append(list, n)
	}
	return list
}

// formAt is the form that an operator has in an opset; nil when it has none.
func formAt(op string, opset int64) *form {
	list := history()[op]
	for i := range slices.Backward(list) {
		if list[i].version <= opset {
			return &list[i]
		}
	}
	return nil
}

// fit takes off attributes that say what holds without them where f does not know them, and says what else keeps n from
// having the form f.
func (f *form) fit(n *onnx.Node, now *form) error {
	if n.NumInputs() > f.maxIn && f.maxIn >= 0 || n.NumInputs() < f.minIn {
		return fmt.Errorf("%d inputs, the form of opset %d has %d to %d", n.NumInputs(), f.version, f.minIn, f.maxIn)
	}
	if n.NumOutputs() > f.maxOut && f.maxOut >= 0 {
		return fmt.Errorf("%d outputs, the form of opset %d has at most %d", n.NumOutputs(), f.version, f.maxOut)
	}
	for _, a := range slices.Clone(n.Attrs) {
		if _, known := f.attributes[a.Name]; known {
			continue
		}
		if now == nil || now.withoutDefault[a.Name] || a.Ref != "" || attrText(a) != now.attributes[a.Name] {
			return fmt.Errorf("the attribute %s = %s came after opset %d", a.Name, attrText(a), f.version)
		}
		removeAttr(n, a.Name)
	}
	for i, v := range n.Inputs() {
		if err := takes(f.inTypes, i, v); err != nil {
			return fmt.Errorf("input %d: %w in the form of opset %d", i, err, f.version)
		}
	}
	for i, v := range n.Outputs() {
		if err := takes(f.outTypes, i, v); err != nil {
			return fmt.Errorf("output %d: %w in the form of opset %d", i, err, f.version)
		}
	}
	return nil
}

// takes says whether the i-th formal, or the last that stands for the rest, takes v's element type.
func takes(types []uint64, i int, v *onnx.Value) error {
	if v == nil || !v.IsTensor() || v.Type.DType == onnx.Undefined || len(types) == 0 {
		return nil
	}
	mask := types[min(i, len(types)-1)]
	if mask == 0 || mask>>uint(v.Type.DType)&1 == 1 {
		return nil
	}
	return fmt.Errorf("%v is not taken", v.Type.DType)
}

// attrText is an attribute's value as history.txt writes defaults.
func attrText(a onnx.Attr) string {
	switch v := a.Value.(type) {
	case int64:
		return strconv.FormatInt(v, 10)
	case float32:
		return strconv.FormatFloat(float64(v), 'g', 6, 32)
	case string:
		return v
	case []int64:
		parts := make([]string, len(v))
		for i, n := range v {
			parts[i] = strconv.FormatInt(n, 10)
		}
		return strings.Join(parts, ",")
	case []float32, []string:
		return strings.Trim(strings.ReplaceAll(fmt.Sprint(v), " ", ","), "[]")
	case *onnx.Tensor:
		return v.Type().String()
	}
	return fmt.Sprintf("(%T)", a.Value)
}
