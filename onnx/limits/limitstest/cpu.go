// Package limitstest measures what hostile input costs.
//
//	if used := limitstest.CPU(t, func() { read(data) }); used > time.Second {
//		t.Errorf("%v for a file of %d bytes", used, len(data))
//	}
package limitstest

import (
	"testing"
	"time"
)

// CPU is the processor time that all threads of the process use while f runs, which other programs on the machine do not lengthen.
// Where the system does not say it, it is the time that f takes.
func CPU(t testing.TB, f func()) time.Duration {
	t.Helper()
	began, before := time.Now(), used(t)
	f()
	if after := used(t); after > 0 {
		return after - before
	}
	return time.Since(began)
}
