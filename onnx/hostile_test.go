package onnx

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"graft/onnx/hostiletest"
	"graft/onnx/internal/onnxpb"
	"graft/onnx/limits/limitstest"
)

// Short names of what this package's tests make models from.
var (
	marshal        = hostiletest.Marshal
	identityModel  = hostiletest.Identity
	goodModel      = hostiletest.Good
	externalTensor = hostiletest.External
	pbNode         = hostiletest.Node
)

func wTensor(d DataType, dims ...int64) *onnxpb.TensorProto {
	return hostiletest.Tensor(int32(d), dims...)
}

// TestHostileModels loads every hostile model within a second and in bounded memory; bytes without a folder are refused too.
func TestHostileModels(t *testing.T) {
	for _, h := range hostiletest.Models() {
		t.Run(strings.ReplaceAll(h.Name, "/", " "), func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "models")
			h.Write(t, dir)
			path := filepath.Join(dir, hostiletest.File)
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			says := h.Says
			if h.ID[0] != 'O' {
				says = ""
			}
			bounded(t, len(data), func() {
				_, err = Load(path, LoadOptions{})
			})
			mustRefuse(t, err, h.Says)
			if _, invalid := errors.AsType[*InvalidError](err); invalid != h.Findings {
				t.Errorf("it contradicts itself: %t, want %t: %v", invalid, h.Findings, err)
			}
			for _, r := range err.Error() {
				if r < ' ' || r == 0x202e || r == 0xfffd {
					t.Errorf("the message has the rune %q", r)
				}
			}
			if len(err.Error()) > 1000 {
				t.Errorf("a message of %d bytes", len(err.Error()))
			}
			bounded(t, len(data), func() { _, err = Decode(data) })
			mustRefuse(t, err, says)
		})
	}
}

// bounded runs what reads a file of some bytes, and holds it to a second and to a bounded heap.
func bounded(t *testing.T, size int, read func()) {
	t.Helper()
	var allocated int64
	took := limitstest.CPU(t, func() { allocated = limitstest.Allocated(read) })
	if took > time.Second {
		t.Errorf("took %v", took)
	}
	if allocated > 64<<20+16*int64(size) {
		t.Errorf("allocated %d bytes for %d", allocated, size)
	}
}

// modelDir is a folder "models" with the files that hostile models refer to.
func modelDir(t testing.TB) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "models")
	hostiletest.Surroundings(t, dir)
	return dir
}

func put(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

func mustRefuse(t *testing.T, err error, want string) {
	t.Helper()
	var coder interface{ ExitCode() int }
	switch {
	case err == nil:
		t.Fatal("accepted")
	case !errors.As(err, &coder) || coder.ExitCode() != 3:
		t.Fatalf("not an input error: %v", err)
	case strings.Contains(err.Error(), "\n"):
		t.Fatalf("more than one line: %q", err)
	case !strings.Contains(err.Error(), want):
		t.Fatalf("the message lacks %q: %v", want, err)
	}
}

// loadIn writes the model beside its data and loads it.
func loadIn(t *testing.T, dir string, m *onnxpb.ModelProto, o LoadOptions) (*Model, error) {
	t.Helper()
	path := filepath.Join(dir, "model.onnx")
	put(t, path, marshal(t, m))
	var got *Model
	var err error
	if d := limitstest.CPU(t, func() { got, err = Load(path, o) }); d > time.Second {
		t.Errorf("took %v", d)
	}
	return got, err
}
