package cli

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestFileNames(t *testing.T) {
	for name, want := range map[string]string{
		"image": "image.npy", "dec/conv:0": "dec%2fconv%3a0.npy", "": "%.npy", ".": "%2e.npy", "..": "%2e%2e.npy", ".hidden": "%2ehidden.npy",
		"a..b": "a.%2eb.npy", "C:\\x": "C%3a%5cx.npy", "nul": "%nul.npy", "COM1.x": "%COM1.x.npy", "common": "common.npy", "naïve": "na%c3%afve.npy",
		"a\x00b": "a%00b.npy", "~": "%7e.npy", "50%": "50%25.npy", "manifest": "manifest~2.npy",
	} {
		if got := newFileNames().of(name, ".npy"); got != want {
			t.Errorf("%q: %s, want %s", name, got, want)
		}
	}
	f := newFileNames()
	seen := map[string]bool{}
	for _, name := range []string{"a", "A", "a~2", "a", strings.Repeat("x", 300), strings.Repeat("x", 300) + "y", strings.Repeat("/", 300)} {
		got := f.of(name, ".npy")
		if key := strings.ToLower(got); seen[key] || filepath.Base(got) != got || len(got) > 160 {
			t.Errorf("%q: %s", name, got)
		} else {
			seen[key] = true
		}
	}
}
