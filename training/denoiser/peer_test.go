package denoiser

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"graft/onnx"
	"graft/training/dataset"
)

var peer = flag.String("peer", "", "folder with what testdata/peers/compare_baselines.py asks for")

// TestPeer denoises noisy.npy by every method of ask.json with its weight, for compare_baselines.py.
func TestPeer(t *testing.T) {
	if *peer == "" {
		t.Skip("needs -peer FOLDER, from testdata/peers/compare_baselines.py")
	}
	data, err := os.ReadFile(filepath.Join(*peer, "ask.json"))
	if err != nil {
		t.Fatal(err)
	}
	var ask struct {
		Sigma   float64
		Methods map[string]float64 // weights
	}
	if err := json.Unmarshal(data, &ask); err != nil {
		t.Fatal(err)
	}
	data, err = os.ReadFile(filepath.Join(*peer, "noisy.npy"))
	if err != nil {
		t.Fatal(err)
	}
	m, err := dataset.ReadNpy(bytes.NewReader(data), int64(len(data)), "noisy.npy")
	if err != nil {
		t.Fatal(err)
	}
	y := Planes{Pix: m.Float32s(), Channels: 1, Height: int(m.Dims[0]), Width: int(m.Dims[1])}
	seconds := map[string]float64{}
	for name, weight := range ask.Methods {
		b, err := FindBaseline(name)
		if err != nil {
			t.Fatal(err)
		}
		f, err := b.Pictures(Given{Sigma: ask.Sigma})
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		x, err := f(y, weight)
		if err != nil {
			t.Fatal(err)
		}
		seconds[name] = time.Since(start).Seconds()
		var out bytes.Buffer
		if err := dataset.WriteNpy(&out, onnx.FromSlice(x.Pix, m.Dims...)); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(*peer, name+".npy"), out.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if data, err = json.Marshal(seconds); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(*peer, "seconds.json"), data, 0o600); err != nil {
		t.Fatal(err)
	}
}
