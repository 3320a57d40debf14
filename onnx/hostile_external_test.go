//go:build unix

package onnx

import (
	"crypto/sha1"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func refuseLocation(t *testing.T, dir, location, want string) {
	t.Helper()
	_, err := loadIn(t, dir, identityModel(externalTensor("w", []int64{4}, "location", location)), LoadOptions{})
	mustRefuse(t, err, want)
	mustRefuse(t, err, `"w"`)
}

func refuseEntries(t *testing.T, want string, entries ...string) {
	t.Helper()
	_, err := loadIn(t, modelDir(t), identityModel(externalTensor("w", []int64{4}, entries...)), LoadOptions{})
	mustRefuse(t, err, want)
}

func link(t *testing.T, target, path string) {
	t.Helper()
	if err := os.Symlink(target, path); err != nil {
		t.Fatal(err)
	}
}

func TestHostileE01ParentFolder(t *testing.T) { refuseLocation(t, modelDir(t), "../secret", "outside") }
func TestHostileE02HiddenParent(t *testing.T) {
	refuseLocation(t, modelDir(t), "a/../../secret", "outside")
	refuseLocation(t, modelDir(t), "sub/../../secret", "outside")
}
func TestHostileE03Absolute(t *testing.T) {
	refuseLocation(t, modelDir(t), "/etc/passwd", "outside")
	dir := modelDir(t)
	refuseLocation(t, dir, filepath.Join(dir, "w.bin"), "outside")
}
func TestHostileE04ForeignPaths(t *testing.T) {
	for _, l := range []string{`C:\x`, `c:/x`, `\\host\share`, `..\secret`} {
		refuseLocation(t, modelDir(t), l, "Windows")
	}
	refuseLocation(t, modelDir(t), "file:///etc/passwd", "URL")
	refuseLocation(t, modelDir(t), "http://host/w.bin", "URL")
}
func TestHostileE05LinkOut(t *testing.T) {
	dir := modelDir(t)
	link(t, "../secret", filepath.Join(dir, "l.bin"))
	refuseLocation(t, dir, "l.bin", "outside")
}
func TestHostileE06ParentLinkOut(t *testing.T) {
	dir := modelDir(t)
	link(t, "../outside", filepath.Join(dir, "link_dir"))
	refuseLocation(t, dir, "link_dir/real.bin", "outside")
}
func TestHostileE07HardLink(t *testing.T) {
	dir := modelDir(t)
	if err := os.Link(filepath.Join(dir, "..", "secret"), filepath.Join(dir, "h.bin")); err != nil {
		t.Fatal(err)
	}
	refuseLocation(t, dir, "h.bin", "hard links")
}
func TestHostileE08Device(t *testing.T) {
	dir := modelDir(t)
	link(t, "/dev/zero", filepath.Join(dir, "z.bin"))
	refuseLocation(t, dir, "z.bin", "outside")
	_, err := loadIn(t, dir, identityModel(externalTensor("w", []int64{4}, "location", "z.bin")), LoadOptions{AllowExternal: []string{"/dev"}})
	mustRefuse(t, err, "regular")
	_, err = Load("/dev/zero", LoadOptions{})
	mustRefuse(t, err, "regular")
}
func TestHostileE09Pipe(t *testing.T) {
	dir := modelDir(t)
	if err := syscall.Mkfifo(filepath.Join(dir, "p.bin"), 0o644); err != nil {
		t.Fatal(err)
	}
	refuseLocation(t, dir, "p.bin", "regular")
}
func TestHostileE10NoFile(t *testing.T) {
	dir := modelDir(t)
	refuseLocation(t, dir, "sub", "regular")
	refuseLocation(t, dir, "sub/", "folder")
	refuseLocation(t, dir, "", "missing")
	refuseLocation(t, dir, ".", "folder")
	refuseLocation(t, dir, "a\x00b", "NUL")
	refuseLocation(t, dir, strings.Repeat("a", 64<<10), "4096")
	refuseLocation(t, dir, "none.bin", "does not exist")
	refuseEntries(t, "missing", "offset", "0")
}
func TestHostileE11NegativeOffset(t *testing.T) {
	refuseEntries(t, "offset", "location", "w.bin", "offset", "-1")
	refuseEntries(t, "offset", "location", "w.bin", "offset", "-9223372036854775808")
}
func TestHostileE12NegativeLength(t *testing.T) {
	refuseEntries(t, "length", "location", "w.bin", "length", "-1")
}
func TestHostileE13LengthBeyondFile(t *testing.T) {
	refuseEntries(t, "length is 1152921504606846976", "location", "w.bin", "length", "1152921504606846976")
	_, err := loadIn(t, modelDir(t), identityModel(externalTensor("w", []int64{1 << 58}, "location", "w.bin", "length", "1152921504606846976")), LoadOptions{})
	mustRefuse(t, err, "1024")
	refuseEntries(t, "1024", "location", "w.bin", "offset", "1024")
}
func TestHostileE14Overflow(t *testing.T) {
	refuseEntries(t, "overflow", "location", "w.bin", "offset", "9223372036854775807", "length", "16")
	refuseEntries(t, "offset", "location", "w.bin", "offset", "9223372036854775808")
}
func TestHostileE15Numbers(t *testing.T) {
	for _, n := range []string{"1e3", " 4", "0x10", "+4", "4 ", "", "٤", "1_0", "010"} {
		refuseEntries(t, "offset", "location", "w.bin", "offset", n)
		refuseEntries(t, "length", "location", "w.bin", "length", n)
	}
}
func TestHostileE16Keys(t *testing.T) {
	refuseEntries(t, "unknown key", "location", "w.bin", "colour", "red")
	refuseEntries(t, "unknown key", "location", "w.bin", "__class__", "x")
	refuseEntries(t, "twice", "location", "w.bin", "location", "w.bin")
	refuseEntries(t, "twice", "location", "w.bin", "offset", "0", "offset", "0")
}
func TestHostileE17LengthNotOfDims(t *testing.T) {
	refuseEntries(t, "asks for 16", "location", "w.bin", "length", "17")
	refuseEntries(t, "asks for 16", "location", "w.bin", "length", "15")
	refuseEntries(t, "asks for 16", "location", "w.bin", "length", "0")
}

func TestHostileE18HidingPlaces(t *testing.T) {
	for name, m := range hiding(externalTensor("x", []int64{4}, "location", "../secret")) {
		t.Run(name, func(t *testing.T) {
			_, err := loadIn(t, modelDir(t), m, LoadOptions{})
			mustRefuse(t, err, "outside")
			_, err = Decode(marshal(t, m))
			mustRefuse(t, err, "no folder")
		})
	}
}
func TestHostileE19AddressMarker(t *testing.T) {
	refuseLocation(t, modelDir(t), "*/_ORT_MEM_ADDR_/*", "address in memory")
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
	refuseEntries(t, "SHA-1", "location", "w.bin", "checksum", strings.Repeat("0", 40))
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

// TestHostileW06ModelAsData refuses a model that is its own data file.
func TestHostileW06ModelAsData(t *testing.T) {
	refuseLocation(t, modelDir(t), "model.onnx", "the model itself")
}
