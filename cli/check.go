package cli

import (
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"

	"graft/onnx"
	"graft/onnx/inspect"
	"graft/runtime"
)

var checkVerb = verb{
	name: "check", args: "FILE", short: "hold a model against the ONNX standard",
	long: "Exit code 1 when a finding is an error. With --against-runtime ONNX Runtime has to accept the model too.\n" +
		"A file that is no ONNX file at all is refused with exit code 3.",
	examples: []string{"graft check model.onnx", "graft check model.onnx --against-runtime --json"},
	groups:   readsModel | runsModel,
	flags:    []cli.Flag{toggle("against-runtime", "open the model in ONNX Runtime as well")},
	run:      runCheck,
}

// checked is the document of graft check --json.
type checked struct {
	executed
	Valid    bool           `json:"valid"`
	Findings []onnx.Finding `json:"findings"`
}

func runCheck(c *call) error {
	path := c.Arg(0)
	doc := checked{Findings: []onnx.Finding{}}
	m, err := c.loadModel(path)
	var invalid *onnx.InvalidError
	switch {
	case errors.As(err, &invalid):
		for _, p := range invalid.Problems {
			doc.Findings = append(doc.Findings, onnx.Finding{Severity: onnx.Error, Where: "model", Rule: "structure", Message: p})
		}
	case err != nil:
		return err
	default:
		doc.Findings = append(doc.Findings, inspect.Check(m.Clone())...) // the runtime gets the types that the file has
	}
	if c.Bool("against-runtime") && m != nil {
		finding, err := c.checkRuntime(m, path)
		if err != nil {
			return err
		}
		doc.Findings = append(doc.Findings, finding...)
	}
	doc.executed = c.executed()
	doc.Valid = inspect.Valid(doc.Findings)
	c.JSON(doc)
	failures := c.printFindings(doc.Findings)
	if !doc.Valid {
		return no(fmt.Sprintf("%s: invalid, %s", path, counted(failures, "error")))
	}
	warnings := ""
	if n := len(doc.Findings); n > 0 {
		warnings = ", " + counted(n, "warning")
	}
	c.Print("%s: valid%s%s", path, warnings, doc.on())
	return nil
}

// printFindings prints a few findings of each rule, or all with --verbose, and gives the number of errors among all.
func (c *call) printFindings(findings []onnx.Finding) (failures int) {
	const most = 10
	type kind struct {
		severity onnx.Severity
		rule     string
	}
	times := map[kind]int{}
	var order []kind
	for _, f := range findings {
		k := kind{f.Severity, f.Rule}
		if times[k]++; times[k] == 1 {
			order = append(order, k)
		}
		if times[k] <= most || c.Common.Verbose {
			c.Print("%s", f)
		}
		if f.Severity == onnx.Error {
			failures++
		}
	}
	for _, k := range order {
		if n := times[k] - most; n > 0 && !c.Common.Verbose {
			c.Print("and %s [%s]: --verbose and --json list all", counted(n, "more "+string(k.severity)), k.rule)
		}
	}
	return failures
}

// checkRuntime says what ONNX Runtime has against a model; trouble with the runtime itself is an error.
func (c *call) checkRuntime(m *onnx.Model, path string) ([]onnx.Finding, error) {
	s, err := c.openSession(m, path)
	if err == nil {
		return nil, s.Close()
	}
	if !errors.Is(err, runtime.ErrModel) {
		return nil, err
	}
	return []onnx.Finding{{Severity: onnx.Error, Where: "model", Rule: "runtime", Message: oneLine(err.Error())}}, nil
}

// counted is "1 error" or "3 errors".
func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
