// Numbers checks the numbers of a JSON document against statements such as
//
//	sparse_psnr_final >= noisy_psnr + 1
//
// Usage: numbers FILE STATEMENT... A side is a sum of fields and numbers; the
// relations are <, <=, >, >= and =. It exits with 1 when a statement is false
// or a field is missing.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
)

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: numbers FILE STATEMENT...")
		os.Exit(2)
	}
	data, err := os.ReadFile(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	failed := false
	for _, statement := range os.Args[2:] {
		text, ok, err := check(data, statement)
		if err != nil {
			text = statement + ": " + err.Error()
		}
		verdict := "ok   "
		if !ok {
			verdict, failed = "FALSE", true
		}
		fmt.Println(verdict, text)
	}
	if failed {
		os.Exit(1)
	}
}

// check evaluates one statement and shows it with its numbers.
func check(document []byte, statement string) (shown string, ok bool, err error) {
	var fields map[string]any
	if err := json.Unmarshal(document, &fields); err != nil {
		return "", false, err
	}
	for _, relation := range []string{"<=", ">=", "<", ">", "="} {
		left, right, found := strings.Cut(statement, relation)
		if !found {
			continue
		}
		a, err := sum(fields, left)
		if err != nil {
			return "", false, err
		}
		b, err := sum(fields, right)
		if err != nil {
			return "", false, err
		}
		switch relation {
		case "<=":
			ok = a <= b
		case ">=":
			ok = a >= b
		case "<":
			ok = a < b
		case ">":
			ok = a > b
		case "=":
			ok = a == b
		}
		return fmt.Sprintf("%s (%g %s %g)", statement, a, relation, b), ok, nil
	}
	return "", false, fmt.Errorf("no relation in it")
}

// sum adds the fields and numbers of a side: "noisy_psnr + 2".
func sum(fields map[string]any, side string) (float64, error) {
	total := 0.0
	for term := range strings.SplitSeq(side, " + ") {
		term = strings.TrimSpace(term)
		if x, err := strconv.ParseFloat(term, 64); err == nil {
			total += x
			continue
		}
		x, ok := fields[term].(float64)
		if !ok {
			return 0, fmt.Errorf("the document has no number %q", term)
		}
		total += x
	}
	return total, nil
}
