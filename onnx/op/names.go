package op

import (
	"maps"
	"slices"
)

// Names lists the operators of the table in alphabetical order.
func Names() []string { return slices.Sorted(maps.Keys(table)) }
