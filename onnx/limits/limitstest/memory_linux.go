package limitstest

import (
	"bytes"
	"os"
	"runtime/debug"
	"strconv"
	"testing"
)

// Peak is how far, in KiB, the process's resident memory rises while f runs above what it was before. Where the system does not
// let the peak be begun anew, known is false, and the number may be that of an earlier time.
func Peak(t testing.TB, f func()) (kib int, known bool) {
	t.Helper()
	debug.FreeOSMemory()
	err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0)
	before := Resident(t, "VmRSS:")
	f()
	return Resident(t, "VmHWM:") - before, err == nil
}

// Resident reads a line of the process's memory account, in KiB: "VmRSS:" is what is resident, "VmHWM:" the most that was.
func Resident(t testing.TB, field string) int {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(status) {
		if words := bytes.Fields(line); len(words) == 3 && string(words[0]) == field {
			n, err := strconv.Atoi(string(words[1]))
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatalf("no %s in the account", field)
	return 0
}
