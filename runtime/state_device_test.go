//go:build cgo

package runtime_test

import (
	"testing"

	"graft/runtime"
)

// TestStateOnDevice: a state that lies in memory of the session's own does what one in ordinary memory does.
func TestStateOnDevice(t *testing.T) {
	runtime.OwnMemory(true)
	defer runtime.OwnMemory(false)
	if st := newCounter(t); !st.OnDevice("x") || !st.OnDevice("n") {
		t.Fatal("the state lies in ordinary memory")
	}
	t.Run("steps", TestState)
	t.Run("failed step", TestStateFailedStep)
	t.Run("replaced data", TestStateReplacedData)
	t.Run("wrong", TestWrongState)
	t.Run("held", TestStateHold)
	t.Run("grows", TestStateGrows)
	t.Run("in place", TestStateInPlace)
}
