package setting_test

import (
	"math"
	"testing"

	"graft/training/setting"
)

func TestResolve(t *testing.T) {
	list := []setting.Setting{{Name: "a", Default: 0.5, High: 1}, {Name: "b", Low: -1, High: 1e9}}
	values, err := setting.Resolve(list, map[string]float64{"b": 3})
	if err != nil || len(values) != 2 || values["a"] != 0.5 || values["b"] != 3 {
		t.Errorf("%v, %v", values, err)
	}
	for want, given := range map[string]map[string]float64{
		`no setting "c": there are a, b`:          {"c": 1},
		"a is 1: wants a number in [0, 1)":        {"a": 1},
		"b is NaN: wants a number in [-1, 1e+09)": {"b": math.NaN()},
	} {
		if _, err := setting.Resolve(list, given); err == nil || err.Error() != want {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if _, err := setting.Resolve(nil, map[string]float64{"c": 1}); err == nil || err.Error() != `no setting "c": there are none` {
		t.Error(err)
	}
}
