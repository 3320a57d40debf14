package bias

import (
	"os"
	"path/filepath"
	"testing"
)

// shared is a path of the data beside the project, which some checks read; they are skipped where it is not there.
func shared(t *testing.T, path ...string) string {
	t.Helper()
	folder := os.Getenv("GRAFT_SHARED_DATA")
	if folder == "" {
		folder = filepath.FromSlash("../../../../shared/data")
	}
	full := filepath.Join(append([]string{folder}, path...)...)
	if _, err := os.Stat(full); err != nil {
		t.Skipf("%s is not there: set GRAFT_SHARED_DATA", full)
	}
	return full
}
