package cli

import (
	"bufio"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
)

// memoryMeter knows what memory was resident when it began.
type memoryMeter struct{ before int64 }

// beginMemory gives back what the garbage collector holds, and has the system begin the peak anew.
func beginMemory() memoryMeter {
	debug.FreeOSMemory()
	if os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) != nil {
		return memoryMeter{-1}
	}
	return memoryMeter{resident("VmRSS:")}
}

// peak is how far resident memory has risen above what it was at the beginning, at its highest; 0 where that is unknown.
func (m memoryMeter) peak() int64 {
	highest := resident("VmHWM:")
	if m.before < 0 || highest < 0 {
		return 0
	}
	return max(0, highest-m.before)
}

// resident reads a line of the process's memory account in bytes; -1 where there is none.
func resident(line string) int64 {
	f, err := os.Open("/proc/self/status")
	if err != nil {
		return -1
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		rest, ok := strings.CutPrefix(s.Text(), line)
		if !ok {
			continue
		}
		kib, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(rest, "kB")), 10, 64)
		if err != nil {
			return -1
		}
		return kib << 10
	}
	return -1
}
