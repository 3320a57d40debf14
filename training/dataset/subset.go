package dataset

import (
	"fmt"
	"maps"
	"slices"

	"graft/onnx/noise"
)

// Draw picks k of n samples from the seed, in their order.
func Draw(n, k int64, seed uint64) ([]uint32, error) {
	if k < 1 || k > n {
		return nil, fmt.Errorf("draw %d of %d samples: 1 to %d can be drawn", k, n, n)
	}
	drawn := shuffled(nil, n, noise.NewKey(seed, "draw", 0))[:k:k]
	slices.Sort(drawn)
	return drawn, nil
}

// DrawPerClass picks k samples of each class that labels name from the seed, in their order. A class with fewer is an error
// that names it; classes, which may be nil, are the names.
func DrawPerClass(labels []int64, k int64, seed uint64, classes []string) ([]uint32, error) {
	if k < 1 {
		return nil, fmt.Errorf("draw %d samples of each class: 1 or more can be drawn", k)
	}
	left := map[int64]int64{}
	for _, l := range labels {
		left[l]++
	}
	for _, l := range slices.Sorted(maps.Keys(left)) {
		if left[l] < k {
			return nil, fmt.Errorf("draw %d samples of each class: class %s has %d", k, ClassName(l, classes), left[l])
		}
		left[l] = k
	}
	var drawn []uint32
	for _, at := range shuffled(nil, int64(len(labels)), noise.NewKey(seed, "draw", 0)) {
		if l := labels[at]; left[l] > 0 {
			left[l]--
			drawn = append(drawn, at)
		}
	}
	slices.Sort(drawn)
	return drawn, nil
}

// EmptyClasses lists those of count classes that no label names.
func EmptyClasses(labels []int64, count int64) (empty []int64) {
	there := map[int64]bool{}
	for _, l := range labels {
		there[l] = true
	}
	for l := range count {
		if !there[l] {
			empty = append(empty, l)
		}
	}
	return empty
}

// ClassName is a class for a message: its number, and its name where there is one.
func ClassName(label int64, classes []string) string {
	if label >= 0 && label < int64(len(classes)) {
		return fmt.Sprintf("%d (%q)", label, classes[label])
	}
	return fmt.Sprint(label)
}
