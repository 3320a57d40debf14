package cli

import (
	"fmt"
	"strconv"
	"strings"

	"graft/onnx/inspect"
)

// grouped writes a count with commas: 3,008,867.
func grouped(n int64) string {
	s := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, s = "-", s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return sign + s
}

// size writes bytes with a decimal unit: 12.1 MB.
func size(bytes int64) string {
	return scaled(float64(bytes), "B", "kB", "MB", "GB", "TB")
}

// magnitude writes a large count with a decimal unit: 1.45 G.
func magnitude(n int64) string { return strings.TrimSpace(scaled(float64(n), "", "k", "M", "G", "T")) }

func scaled(x float64, units ...string) string {
	i := 0
	for ; x >= 999.5 && i < len(units)-1; i++ {
		x /= 1000
	}
	if i == 0 {
		return fmt.Sprintf("%.0f %s", x, units[0])
	}
	return fmt.Sprintf("%.3g %s", x, units[i])
}

// percent writes a fraction: 95.0 %.
func percent(x float64) string { return fmt.Sprintf("%.1f %%", 100*x) }

// shapeText is "[1 3 H ?]", or "[...]" when the rank is unknown.
func shapeText(shape []any) string {
	if shape == nil {
		return "[...]"
	}
	parts := make([]string, len(shape))
	for i, d := range shape {
		parts[i] = "?"
		if d != nil {
			parts[i] = fmt.Sprint(d)
		}
	}
	return "[" + strings.Join(parts, " ") + "]"
}

// portList is "z float32 [1 32 64 64], labels int64 [N]".
func portList(ports []inspect.Port) string {
	parts := make([]string, len(ports))
	for i, p := range ports {
		parts[i] = p.Name + " " + p.DType + " " + shapeText(p.Shape)
	}
	return strings.Join(parts, ", ")
}
