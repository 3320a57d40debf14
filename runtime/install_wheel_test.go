//go:build cgo

package runtime

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestInstallRealWheel installs the wheel that GRAFT_TEST_CUDA_WHEEL names and looks at what a session on CUDA would lack.
func TestInstallRealWheel(t *testing.T) {
	wheel := os.Getenv("GRAFT_TEST_CUDA_WHEEL")
	if wheel == "" {
		t.Skip("GRAFT_TEST_CUDA_WHEEL names no wheel of onnxruntime-gpu")
	}
	cache := t.TempDir()
	l, err := installInto(cache, InstallOptions{From: wheel, CUDA: true})
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Dir(l.Path)
	if got := cachedVersions(cache, CUDA); len(got) != 1 || got[0] != dir || !strings.HasSuffix(dir, l.Version+"-cuda") {
		t.Errorf("%v", got)
	}
	needed, err := neededLibraries(providerPath(dir, CUDA))
	if err != nil || cudaMajor(needed) < 12 {
		t.Errorf("%v, %v", needed, err)
	}
	for _, l := range thisMachine.lacking(CUDA, dir) {
		t.Logf("%s; %s", l.what, l.fix)
	}
}
