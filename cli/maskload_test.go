package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"graft/graphs"
)

// TestAuthorsMask reads the mask that the authors of Optimal Eye Surgeon learned for their pepper photo, which stands
// beside the project and not in it, for the published network.
func TestAuthorsMask(t *testing.T) {
	path := filepath.Join("..", "..", "shared", "data", "denoiser", "oes_mask_pepper.pkl")
	if _, err := os.Stat(path); err != nil {
		path = filepath.Join("..", path)
	}
	if _, err := os.Stat(path); err != nil {
		t.Skip("needs ../shared/data/denoiser/oes_mask_pepper.pkl")
	}
	m, err := graphs.Hourglass{Height: 64, Width: 64, Channels: []int64{16, 32, 64, 128, 128, 128}}.Build(0)
	if err != nil {
		m, err = graphs.Hourglass{}.Build(0)
	}
	if err != nil {
		t.Fatal(err)
	}
	set, err := loadMask(path, m.Graph)
	if err != nil {
		t.Fatal(err)
	}
	if set.Total() != 3_008_867 || set.Kept() != 150_443 {
		t.Errorf("%d of %d kept", set.Kept(), set.Total())
	}
	small, err := graphs.QuickHourglass.Build(0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := loadMask(path, small.Graph); err == nil || !strings.Contains(err.Error(), "mask has 3008867 values, the network has 514851") {
		t.Error(err)
	}
}

// TestPickledMaskOfAnotherNetwork needs no file beside the project.
func TestPickledMaskOfAnotherNetwork(t *testing.T) {
	m, err := graphs.QuickHourglass.Build(0)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"tensor.pkl", "state.pt"} {
		path := filepath.Join("..", "export", "pickle", "testdata", name)
		if _, err := loadMask(path, m.Graph); err == nil || !strings.Contains(err.Error(), "mask") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
