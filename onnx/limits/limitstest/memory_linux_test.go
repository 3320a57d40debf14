package limitstest

import "testing"

// What is written to is resident; what went before does not count.
func TestPeak(t *testing.T) {
	write := func(mib int) func() {
		return func() {
			data := make([]byte, mib<<20)
			for i := 0; i < len(data); i += 4096 {
				data[i] = 1
			}
		}
	}
	write(64)()
	kib, known := Peak(t, write(16))
	if !known {
		t.Skip("the peak cannot be begun anew")
	}
	if kib < 15<<10 || kib > 40<<10 {
		t.Errorf("16 MiB raise the peak by %d KiB", kib)
	}
}
