package autodiff

import (
	"bytes"
	"context"
	"os"
	"runtime/debug"
	"strconv"
	"testing"

	"graft/onnx"
)

// TestWeightPeak: the weight's gradient of a large image holds no more than three copies of the input at once. How far the
// process's resident memory rises also says in which order ONNX Runtime takes the tiles.
func TestWeightPeak(t *testing.T) {
	q := square{1, 32, 16, 5, 320, 1, 1}
	s, feeds := lowered(t, 1, func(b *Builder) *onnx.Value {
		for _, form := range weightLowerings {
			if l := q.layer(); form.fits(l) && form.pays[CPU](l) {
				return q.weight(form)(b)
			}
		}
		return nil
	})
	debug.FreeOSMemory()
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil {
		t.Skip("the peak cannot be reset: ", err)
	}
	before := resident(t, "VmRSS:")
	if _, err := s.Run(context.Background(), feeds); err != nil {
		t.Fatal(err)
	}
	input := 4 * len(feeds["x"].Float32s()) / 1024
	peak := resident(t, "VmHWM:") - before
	t.Logf("%d KiB above an input of %d KiB", peak, input)
	if peak > 3*input {
		t.Errorf("%d KiB at once for an input of %d KiB", peak, input)
	}
}

// resident reads a line of the process's memory account, in KiB.
func resident(t testing.TB, field string) int {
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
