package kernels_test

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"graft/onnx/op"
	"graft/runtime/kernels"
)

// TestPage holds docs/gpu.md to the table: which operators have no kernel, and which have none in their youngest form.
func TestPage(t *testing.T) {
	data, err := os.ReadFile("../../docs/gpu.md")
	if err != nil {
		t.Fatal(err)
	}
	page := strings.Join(strings.Fields(string(data)), " ")
	var none, younger []string
	for _, name := range op.Names() {
		switch _, _, behind, ok := kernels.Opsets(cuda, name); {
		case name == "Constant": // becomes an initializer
		case !ok:
			none = append(none, name)
		case behind > 0:
			younger = append(younger, name+" "+strconv.FormatInt(behind, 10))
		}
	}
	for _, list := range [][]string{none, younger} {
		if want := strings.Join(list, ", "); !strings.Contains(page, want+".") {
			t.Errorf("docs/gpu.md should have: %s.", want)
		}
	}
}
