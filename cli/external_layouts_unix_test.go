//go:build unix

package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"graft/onnx/hostiletest"
)

// externalLayouts are ways in which weights lie beside a model that every verb has to read; they write $DIR/models/model.onnx.
var externalLayouts = []struct {
	id   string
	make func(t *testing.T, top string)
}{
	{"E21 beside", located("w.bin")},
	{"E21 dot", located("./w.bin")},
	{"E21 a folder below", located("sub/w.bin")},
	{"E21 a folder below and back", located("sub/../w.bin")},
	{"E22 Hugging Face cache", hubCache},
}

func located(location string) func(*testing.T, string) {
	return func(t *testing.T, top string) {
		folder := filepath.Join(top, "models")
		hostiletest.Surroundings(t, folder)
		file("model.onnx", hostiletest.Marshal(t, hostiletest.Beside(location)))(t, folder)
	}
}

// hubCache is a snapshot of the hub: the model and its data are links to blobs.
func hubCache(t *testing.T, top string) {
	repo := filepath.Join(top, "models--org--name")
	snapshot, blobs := filepath.Join(repo, "snapshots", "0123abc"), filepath.Join(repo, "blobs")
	for _, d := range []string{snapshot, blobs} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	file("aaaa", hostiletest.Marshal(t, hostiletest.Beside("model.onnx_data")))(t, blobs)
	file("bbbb", make([]byte, 1024))(t, blobs)
	for from, to := range map[string]string{"aaaa": "model.onnx", "bbbb": "model.onnx_data"} {
		if err := os.Symlink("../../blobs/"+from, filepath.Join(snapshot, to)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(snapshot, filepath.Join(top, "models")); err != nil {
		t.Fatal(err)
	}
}

// TestExternalLayouts gives models whose weights lie where they may to the verbs.
func TestExternalLayouts(t *testing.T) {
	lines := []string{
		"inspect $DIR/model.onnx",
		"check $DIR/model.onnx --against-runtime",
		"simplify $DIR/model.onnx --out $OUT1.onnx --verify",
		"convert $DIR/model.onnx --out $OUT2.onnx --rename-output y=z",
		"convert $DIR/model.onnx --out $OUT3.onnx --external-data one --external-data-threshold 1",
		"convert $DIR/model.onnx --out $OUT4.safetensors",
		"export $DIR/model.onnx --out $OUT5.onnx",
		"run $DIR/model.onnx",
		"bench $DIR/model.onnx --rounds 2 --warmup 0",
		"compare $DIR/model.onnx $OUT1.onnx",
		"diff $DIR/model.onnx $DIR/model.onnx",
		"verify $DIR/model.onnx --runtimes ort,onnx-go",
	}
	for _, l := range externalLayouts {
		t.Run(l.id, func(t *testing.T) {
			top := t.TempDir()
			l.make(t, top)
			before := listing(t, filepath.Join(top, "models"))
			for _, line := range lines {
				args := strings.Fields("graft " + strings.NewReplacer("$DIR", filepath.Join(top, "models"), "$OUT", filepath.Join(top, "out")).Replace(line))
				var stdout, stderr bytes.Buffer
				if code := NewApp(strings.NewReader(""), &stdout, &stderr).Run(t.Context(), args); code != exitDone {
					t.Errorf("%s: exit code %d\n%s%s", line, code, stdout.String(), stderr.String())
				}
			}
			if after := listing(t, filepath.Join(top, "models")); after != before {
				t.Errorf("files were\n%s\nand are\n%s", before, after)
			}
		})
	}
}
