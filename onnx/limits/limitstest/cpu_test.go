package limitstest

import (
	"testing"
	"time"
)

// Waiting costs nothing, computing does.
func TestCPU(t *testing.T) {
	if used(t) == 0 {
		t.Skip("the system does not say what a process has used")
	}
	if waited := CPU(t, func() { time.Sleep(100 * time.Millisecond) }); waited > 50*time.Millisecond {
		t.Errorf("a wait of 100 ms uses %v", waited)
	}
	var before time.Duration
	spun := CPU(t, func() {
		for before = used(t); used(t)-before < 20*time.Millisecond; {
		}
	})
	if spun < 20*time.Millisecond {
		t.Errorf("20 ms of work use %v", spun)
	}
}
