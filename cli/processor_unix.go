//go:build unix

package cli

import (
	"math"
	"syscall"
)

// processorSeconds is the processor time of this process so far, of all threads: what a busy machine leaves as it is.
func processorSeconds() float64 {
	var used syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &used) != nil {
		return math.NaN()
	}
	return float64(used.Utime.Nano()+used.Stime.Nano()) / 1e9
}
