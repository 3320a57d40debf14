package cli

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"graft/export/pickle/pickletest"
	"graft/onnx/limits/limitstest"
	"graft/onnx/safetensors/safetensorstest"
	"graft/onnx/strictzip/ziptest"
	"graft/training/dataset/datasettest"
)

// Files that training reads: data sets, masks, and what lies in a folder of artifacts.

// artifacts makes training artifacts of the small model.
func artifacts(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	besideModel(t, folder)
	var out bytes.Buffer
	dir := filepath.Join(folder, "artifacts")
	if code := NewApp(strings.NewReader(""), &out, &out).Run(t.Context(), []string{"graft", "artifacts", filepath.Join(folder, "model.onnx"), "--loss", "mse", "--optimizer", "adam", "--out", dir}); code != 0 {
		t.Fatal(out.String())
	}
	return dir
}

// trainingSet is data for the small model.
func trainingSet() []byte {
	x, target := datasettest.NpyOf("'<f4'", "(2, 2)", make([]byte, 16)), datasettest.NpyOf("'<f4'", "(2, 3)", make([]byte, 24))
	return ziptest.Build([]ziptest.File{{Name: "x.npy", Data: x}, {Name: "target.npy", Data: target}})
}

// withArtifacts are hostile files beside artifacts, or in their place.
func withArtifacts(dir string, list []hostile) (with []hostile) {
	for _, h := range list {
		make := h.make
		h.make = func(t testing.TB, folder string) {
			if err := os.CopyFS(filepath.Join(folder, "artifacts"), os.DirFS(dir)); err != nil {
				t.Fatal(err)
			}
			make(t, folder)
		}
		with = append(with, h)
	}
	return with
}

func TestHostileTraining(t *testing.T) {
	dir := artifacts(t)
	const train = "train $DIR/artifacts --steps 1 --data $DIR/"
	refuseThrough(t, withArtifacts(dir, first(files("hostile.npy", datasettest.HostileNpy()))), train+"hostile.npy")
	refuseThrough(t, withArtifacts(dir, first(files("hostile.npz", datasettest.HostileNpz()))), train+"hostile.npz")
	refuseThrough(t, withArtifacts(dir, whatever(first(files("hostile.safetensors", safetensorstest.Hostile())))), train+"hostile.safetensors")
	refuseThrough(t, withArtifacts(dir, first(files("hostile.tar", datasettest.HostileTars()))), train+"hostile.tar")
	hashed := first(files("artifacts/checkpoint/parameters.safetensors", safetensorstest.Hostile()))
	for i := range hashed {
		make := hashed[i].make
		hashed[i].says = "parameters.safetensors: is damaged"
		hashed[i].make = func(t testing.TB, folder string) {
			make(t, folder)
			file("set.npz", trainingSet())(t, folder)
		}
	}
	deep := []byte(strings.Repeat("[", 20_000))
	refuseThrough(t, withArtifacts(dir, files("artifacts/contract.json", []limitstest.Case{{ID: "Y11", What: "contract", Bytes: deep, Want: "contract.json"}})),
		train+"none.npz", "export $DIR/artifacts --out $OUT.onnx")
	refuseThrough(t, withArtifacts(dir, files("artifacts/checkpoint/state.json", []limitstest.Case{{ID: "Y11", What: "state", Bytes: deep, Want: "state.json"}})),
		"export $DIR/artifacts --out $OUT.onnx", "export $DIR/model.onnx --from $DIR/artifacts/checkpoint --out $OUT.onnx")
	// What does not have the hash that state.json says is not read.
	refuseThrough(t, withArtifacts(dir, hashed),
		train+"set.npz", "export $DIR/artifacts --out $OUT.onnx", "export $DIR/model.onnx --from $DIR/artifacts/checkpoint --out $OUT.onnx")
	var cut bytes.Buffer
	z := gzip.NewWriter(&cut)
	if _, err := io.WriteString(z, strings.Repeat("1,2,3\n", 1000)); err != nil || z.Close() != nil {
		t.Fatal(err)
	}
	set := func(name, id, want string, data string) hostile {
		return withArtifacts(dir, files(name, []limitstest.Case{{ID: id, What: name, Bytes: []byte(data), Want: want}}))[0]
	}
	for _, h := range []hostile{
		set("deep.jsonl", "Y11", "deep.jsonl", strings.Repeat("[", 20_000)+"\n"),
		set("utf16.csv", "Y10", "utf16.csv", "\xff\xfea\x00,\x00b\x00\n\x00"),
		set("huge.csv", "Y09", "huge.csv", "a,b,c\n1,2,1e400\n"),
		set("nan.csv", "Y09", "nan.csv", "a,b,c\n1,2,no\n"),
		set("idx3-ubyte", "N01", "idx3-ubyte", "\x00\x00\x08\x03\x7f\xff\xff\xff\x7f\xff\xff\xff\x7f\xff\xff\xff"),
		set("cut.csv.gz", "N07", "cut short", cut.String()[:cut.Len()-9]),
		set("hostile.gguf", "G01", "hostile.gguf", "GGUF"),
		set("hostile.keras", "P17", "hostile.keras", string(pickletest.Keras())),
	} {
		data := strings.Fields(h.id)[1]
		refuseThrough(t, []hostile{h}, train+data, "prune $DIR/model.onnx --method snip --loss mse --sparsity 0.5 --data $DIR/"+data+" --out $OUT.onnx")
	}
}

func TestHostileMasks(t *testing.T) {
	dir := artifacts(t)
	list := append(whatever(first(files("hostile.mask", safetensorstest.Hostile()))), whatever(first(files("hostile.mask", pickletest.Hostile())))...)
	for i := range list {
		make := list[i].make
		list[i].make = func(t testing.TB, folder string) {
			make(t, folder)
			file("set.npz", trainingSet())(t, folder)
			pictured(t, folder)
		}
	}
	refuseThrough(t, withArtifacts(dir, list), "train $DIR/artifacts --steps 1 --data $DIR/set.npz --mask $DIR/hostile.mask",
		"prune $DIR/model.onnx --out $OUT.onnx --mask $DIR/hostile.mask")
	refuseThrough(t, withArtifacts(dir, list), "denoise $DIR/good.png --out $OUT --preset quick --mask $DIR/hostile.mask")
}
