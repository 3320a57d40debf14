//go:build !cgo

package runtime

import (
	"errors"
	"strings"
	"testing"
)

func TestStaticBuild(t *testing.T) {
	_, err := Open([]byte("x"), Options{})
	var missing *MissingError
	if !errors.As(err, &missing) || !strings.Contains(err.Error(), "CGO_ENABLED=0") {
		t.Error(err)
	}
	if info, err := Info(Options{}); err == nil || len(info.Missing) != 1 {
		t.Error(info, err)
	}
}
