package pacbayes_test

import (
	"testing"

	"graft/training/loss"
)

func entropy(t *testing.T) loss.Loss {
	t.Helper()
	l, err := loss.Lookup("cross-entropy")
	if err != nil {
		t.Fatal(err)
	}
	return l
}
