package limitstest

import "runtime"

// Allocated is how many bytes Go's heap hands out while f runs: at least what the heap grows by. It costs nothing, where Peak
// collects garbage first.
func Allocated(f func()) int64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return int64(after.TotalAlloc - before.TotalAlloc)
}
