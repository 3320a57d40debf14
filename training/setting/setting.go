package setting

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Setting is a number by name, in [Low, High).
type Setting struct {
	Name    string
	Usage   string
	Default float64
	Low     float64
	High    float64
}

// Values are numbers by the names of their settings.
type Values map[string]float64

// Resolve gives a value for every setting of the list: the given one, or the default. A given name that the list has not,
// and a value out of range, is an error.
func Resolve(list []Setting, given map[string]float64) (Values, error) {
	values := Values{}
	names := make([]string, len(list))
	for i, s := range list {
		values[s.Name], names[i] = s.Default, s.Name
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		i := slices.Index(names, name)
		if i < 0 {
			if len(names) == 0 {
				return nil, fmt.Errorf("no setting %q: there are none", name)
			}
			return nil, fmt.Errorf("no setting %q: there are %s", name, strings.Join(names, ", "))
		}
		v := given[name]
		if s := list[i]; !(v >= s.Low && v < s.High) {
			return nil, fmt.Errorf("%s is %v: wants a number in [%s, %s)", name, v, short(s.Low), short(s.High))
		}
		values[name] = v
	}
	return values, nil
}

func short(v float64) string { return strconv.FormatFloat(v, 'g', 6, 64) }
