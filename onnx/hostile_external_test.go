//go:build unix

package onnx

import (
	"crypto/sha1"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func link(t *testing.T, target, path string) {
	t.Helper()
	if err := os.Symlink(target, path); err != nil {
		t.Fatal(err)
	}
}

func TestHostileE08Device(t *testing.T) {
	dir := modelDir(t)
	link(t, "/dev/zero", filepath.Join(dir, "z.bin"))
	_, err := loadIn(t, dir, identityModel(externalTensor("w", []int64{4}, "location", "z.bin")), LoadOptions{AllowExternal: []string{"/dev"}})
	mustRefuse(t, err, "regular")
	_, err = Load("/dev/zero", LoadOptions{})
	mustRefuse(t, err, "regular")
}

func TestHostileE20Bytes(t *testing.T) {
	for _, location := range []string{"w.bin", "../secret", "/etc/passwd"} {
		_, err := Decode(marshal(t, identityModel(externalTensor("w", []int64{4}, "location", location))))
		mustRefuse(t, err, "no folder")
	}
	_, err := DecodeTensor(marshal(t, externalTensor("w", []int64{4}, "location", "w.bin")))
	mustRefuse(t, err, "another file")
}

func TestExternalE21Inside(t *testing.T) {
	for _, location := range []string{"w.bin", "./w.bin", "sub/w.bin", "sub/../w.bin"} {
		dir := modelDir(t)
		data := View[float32](NewTensor(Float, 256))
		for i := range data {
			data[i] = float32(i)
		}
		put(t, filepath.Join(dir, filepath.Clean(location)), bytesOf(data))
		m, err := loadIn(t, dir, identityModel(externalTensor("w", []int64{4}, "location", location, "offset", "8", "length", "16")), LoadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if got := m.Graph.Lookup("w").Const.Float32s(); len(got) != 4 || got[0] != 2 || got[3] != 5 {
			t.Errorf("%s: %v", location, got)
		}
		encoded, err := m.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if m, err = Decode(encoded); err != nil || m.Graph.Lookup("w").Const.Float32s()[0] != 2 {
			t.Errorf("the written model is not complete: %v", err)
		}
	}
}

// TestExternalE22HuggingFaceCache reads the cache layout of the Hugging Face hub, at two depths.
func TestExternalE22HuggingFaceCache(t *testing.T) {
	for _, sub := range []string{"", "onnx"} {
		repo := filepath.Join(t.TempDir(), "models--org--name")
		dir := filepath.Join(repo, "snapshots", "0123abc", sub)
		blobs := filepath.Join(repo, "blobs")
		for _, d := range []string{dir, blobs} {
			if err := os.MkdirAll(d, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		up := "../../blobs/"
		if sub != "" {
			up = "../../../blobs/"
		}
		model := marshal(t, identityModel(externalTensor("w", []int64{4}, "location", "model.onnx_data")))
		put(t, filepath.Join(blobs, "aaaa"), model)
		put(t, filepath.Join(blobs, "bbbb"), make([]byte, 16))
		link(t, up+"aaaa", filepath.Join(dir, "model.onnx"))
		link(t, up+"bbbb", filepath.Join(dir, "model.onnx_data"))
		m, err := Load(filepath.Join(dir, "model.onnx"), LoadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if m.Graph.Lookup("w").Const.Len() != 4 {
			t.Error("no weights")
		}
		// A data link that leads elsewhere is refused in the same layout.
		put(t, filepath.Join(repo, "secret"), make([]byte, 16))
		os.Remove(filepath.Join(dir, "model.onnx_data"))
		link(t, up+"../secret", filepath.Join(dir, "model.onnx_data"))
		_, err = Load(filepath.Join(dir, "model.onnx"), LoadOptions{})
		mustRefuse(t, err, "outside")
	}
}

func TestExternalAllowedFolder(t *testing.T) {
	dir := modelDir(t)
	m := identityModel(externalTensor("w", []int64{4}, "location", "../outside/real.bin"))
	_, err := loadIn(t, dir, m, LoadOptions{})
	mustRefuse(t, err, "--allow-external")
	if _, err := loadIn(t, dir, m, LoadOptions{AllowExternal: []string{filepath.Join(dir, "..", "outside")}}); err != nil {
		t.Error(err)
	}
	_, err = loadIn(t, dir, identityModel(externalTensor("w", []int64{4}, "location", "../secret")),
		LoadOptions{AllowExternal: []string{filepath.Join(dir, "..", "outside")}})
	mustRefuse(t, err, "outside")
}

func TestExternalChecksum(t *testing.T) {
	sum := sha1.Sum(make([]byte, 1024))
	good := hex.EncodeToString(sum[:])
	if _, err := loadIn(t, modelDir(t), identityModel(externalTensor("w", []int64{4}, "location", "w.bin", "checksum", good)), LoadOptions{}); err != nil {
		t.Error(err)
	}
	_, err := loadIn(t, modelDir(t), identityModel(externalTensor("w", []int64{4}, "location", "w.bin", "checksum", strings.Repeat("0", 40))), LoadOptions{})
	mustRefuse(t, err, "SHA-1")
}

func TestHostileExternalAmplification(t *testing.T) {
	m := identityModel(externalTensor("w", []int64{200}, "location", "w.bin"))
	m.Graph.Initializer = append(m.Graph.Initializer, externalTensor("v", []int64{200}, "location", "w.bin", "offset", "4"))
	_, err := loadIn(t, modelDir(t), m, LoadOptions{})
	mustRefuse(t, err, "overlap")
	m.Graph.Initializer[1] = externalTensor("v", []int64{200}, "location", "w.bin")
	if _, err := loadIn(t, modelDir(t), m, LoadOptions{}); err != nil {
		t.Errorf("tied weights: %v", err)
	}
}
