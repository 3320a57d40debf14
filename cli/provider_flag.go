package cli

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"graft/runtime"
)

// provider is the flag that names an execution provider, by the short name or ONNX Runtime's own.
func provider() *option {
	return &option{name: "provider", arg: "NAME", usage: "execution provider: cpu (default), cuda, webgpu, ...", values: runtime.ProviderNames(), make: func() flag.Getter {
		return &value[string]{parse: func(s string) (string, error) {
			if !runtime.KnownProvider(s) {
				names := runtime.ProviderNames()
				return "", fmt.Errorf("wants one of %s, or a name that ends in ExecutionProvider%s", strings.Join(names, ", "), didYouMean(nearest(s, names)))
			}
			return s, nil
		}}
	}}
}

// memory is a flag with a number of bytes, which may have a unit.
func memory(name, arg, usage string) *option {
	return &option{name: name, arg: arg, usage: usage, make: func() flag.Getter { return &value[int64]{parse: parseBytes} }}
}

// byteUnits are powers of 1024, as memory is counted.
var byteUnits = []struct {
	name string
	size int64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40}}

// parseBytes reads "4GiB", "1.5 GiB", "4G" or "4294967296".
func parseBytes(s string) (int64, error) {
	digits, unit := s, int64(1)
	for _, u := range byteUnits {
		for _, written := range []string{u.name, u.name[:1] + "B", u.name[:1]} {
			if len(s) > len(written) && strings.EqualFold(s[len(s)-len(written):], written) {
				digits, unit = s[:len(s)-len(written)], u.size
				break
			}
		}
		if unit > 1 {
			break
		}
	}
	x, err := parseNumber(strings.TrimSpace(digits))
	if err == nil && (x*float64(unit) < 1 || x*float64(unit) > 1<<62 || unit == 1 && x != math.Trunc(x)) {
		err = errors.New("is out of range")
	}
	if err != nil {
		return 0, fmt.Errorf("%w: wants a size such as 4GiB or 512MiB, or a number in [1, 2^62] of bytes", err)
	}
	if unit == 1 {
		return strconv.ParseInt(strings.TrimSpace(digits), 10, 64)
	}
	return int64(x * float64(unit)), nil
}

// pairs is a flag with KEY=VALUE that may be repeated, each key once.
func pairs(name, usage string) *option {
	return &option{name: name, arg: "KEY=VALUE", usage: usage, make: func() flag.Getter { return &pairsValue{} }}
}

type pairsValue struct{ v map[string]string }

func (p *pairsValue) Set(s string) error {
	key, value, found := strings.Cut(s, "=")
	if !found || key == "" || strings.ContainsRune(s, 0) {
		return errors.New("wants KEY=VALUE")
	}
	if _, twice := p.v[key]; twice {
		return fmt.Errorf("sets %s a second time", quote(key))
	}
	if p.v == nil {
		p.v = map[string]string{}
	}
	p.v[key] = value
	return nil
}

func (p *pairsValue) Get() any { return p.v }

func (p *pairsValue) String() string {
	var b strings.Builder
	for _, key := range slices.Sorted(maps.Keys(p.v)) {
		fmt.Fprintf(&b, "%s=%s ", key, p.v[key])
	}
	return strings.TrimSpace(b.String())
}
