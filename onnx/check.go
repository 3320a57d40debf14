package onnx

import (
	"fmt"
	"strings"
)

// Severity grades a Finding.
type Severity string

// An error breaks a rule of the standard; a warning is legal or has one reading, but is likely a mistake.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
)

// Finding is what a check has to say of one place in a model.
type Finding struct {
	Severity Severity `json:"severity"`
	Where    string   `json:"where"` // "graph: node Conv_3 (Conv)"
	Rule     string   `json:"rule"`  // "opset-import"
	Message  string   `json:"message"`
}

// String is "error: graph: node Conv_3 (Conv): no opset of domain "x" is imported [opset-import]".
func (f Finding) String() string {
	return fmt.Sprintf("%s: %s: %s [%s]", f.Severity, f.Where, f.Message, f.Rule)
}

// NewestIR is the newest version of the file format that the package knows.
const NewestIR = 14

// Check holds m against the structural rules of the standard: versions, names, single assignment, types of initializers,
// typed inputs and outputs, cycles, depth, functions. What operators ask of their inputs and attributes is package op's
// to check. The findings are in the order of the graph; none means that the structure is sound.
func Check(m *Model) []Finding {
	c := checker{model: m}
	c.findings = append(c.findings, m.notes...)
	c.versions()
	c.metadata("model", m.Metadata)
	if m.Graph == nil {
		c.report(Error, "model", "graph", "there is no graph")
		return c.findings
	}
	c.imports = m.Opsets
	c.main = true
	c.graph(m.Graph, "graph", 0, make(map[*Value]bool, m.Graph.values()), make(map[string]bool, m.Graph.values()))
	c.main = false
	for _, f := range m.functions {
		c.function(f)
	}
	m.calls(func(format string, args ...any) {
		c.report(Error, "model", "functions", format, args...)
	})
	return c.findings
}

type checker struct {
	model    *Model
	imports  []Opset
	main     bool // in the main graph, not in a function
	findings []Finding
}

func (c *checker) report(s Severity, where, rule, format string, args ...any) {
	const most = 1000
	if len(c.findings) < most {
		c.findings = append(c.findings, Finding{s, printable(where), rule, message(format, args...)})
	}
}

func (c *checker) versions() {
	m := c.model
	switch {
	case m.IRVersion < 1:
		c.report(Error, "model", "ir-version", "ir_version is %d, it starts at 1", m.IRVersion)
	case m.IRVersion > NewestIR:
		c.report(Error, "model", "ir-version", "ir_version is %d, the newest known is %d", m.IRVersion, NewestIR)
	}
	if len(m.Opsets) == 0 && m.IRVersion >= 3 {
		c.report(Error, "model", "opset-import", "no operator set is imported")
	}
	c.opsets("model", m.Opsets)
	if len(m.functions) > 0 {
		c.since(8, "model", "functions")
	}
	for _, o := range m.Opsets {
		if canonicalDomain(o.Domain) == "" && o.Version > newestOpset {
			c.report(Warning, "model", "opset-import", "opset %d of the default domain is newer than any known (%d)", o.Version, newestOpset)
		}
	}
}

// newestOpset is the newest opset of the default domain that the project knows.
const newestOpset = 27

func (c *checker) opsets(where string, list []Opset) {
	seen := map[string]int64{}
	for _, o := range list {
		d := canonicalDomain(o.Domain)
		if v, ok := seen[d]; ok {
			s := Warning
			if v != o.Version {
				s = Error
			}
			c.report(s, where, "opset-import", "domain %q is imported twice, at version %d and %d", o.Domain, v, o.Version)
		}
		seen[d] = o.Version
		if o.Version < 1 {
			c.report(Error, where, "opset-import", "domain %q is imported at version %d, versions start at 1", o.Domain, o.Version)
		}
	}
}

// since reports a feature that is younger than the model's version of the file format.
func (c *checker) since(ir int64, where, what string) {
	if c.model.IRVersion >= 1 && c.model.IRVersion < ir {
		c.report(Error, where, "ir-feature", "%s need ir_version %d, the model says %d", what, ir, c.model.IRVersion)
	}
}

func (c *checker) metadata(where string, m Metadata) {
	seen := map[string]bool{}
	for _, kv := range m {
		if seen[kv.Key] {
			c.report(Error, where, "metadata", "key %q occurs twice", kv.Key)
		}
		seen[kv.Key] = true
		if kv.Key == "" {
			c.report(Warning, where, "metadata", "an entry has no key")
		}
	}
}

func (c *checker) function(f *Function) {
	where := "function " + f.Domain + "." + f.Name
	if f.Name == "" {
		c.report(Error, where, "functions", "it has no name")
	}
	if len(f.Opsets) == 0 {
		c.report(Error, where, "opset-import", "no operator set is imported")
	}
	if f.Overload != "" {
		c.since(10, where, "function overloads")
	}
	if len(f.Metadata) > 0 {
		c.since(10, where, "metadata of functions")
	}
	c.opsets(where, f.Opsets)
	c.metadata(where, f.Metadata)
	c.imports = f.Opsets
	c.graph(f.Body, where, 0, map[*Value]bool{}, map[string]bool{})
}

// typeSince is the version of the file format that brought an element type.
func typeSince(d DataType) int64 {
	switch d {
	case BFloat16:
		return 4
	case Float8E4M3FN, Float8E4M3FNUZ, Float8E5M2, Float8E5M2FNUZ:
		return 9
	case Uint4, Int4:
		return 10
	case Float4E2M1:
		return 11
	case Float8E8M0:
		return 12
	case Uint2, Int2:
		return 13
	}
	return 1
}

// plainName reports whether a name can be shown as it is.
func plainName(s string) bool {
	return printable(s) == s || len(s) > 400 && !strings.ContainsAny(s, "\x00\x1b\n")
}
