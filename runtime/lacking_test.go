package runtime

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// having is a machine with some libraries and a driver.
func having(driver *cudaDriver, libraries ...string) machine {
	return machine{
		loadable: func(name string) error {
			if slices.Contains(libraries, name) || strings.HasPrefix(name, "libc.") {
				return nil
			}
			return errors.New("cannot open shared object file")
		},
		driver: func() (*cudaDriver, error) {
			if driver == nil {
				return nil, errors.New("no driver")
			}
			return driver, nil
		},
	}
}

func TestLacking(t *testing.T) {
	dir := t.TempDir()
	path := providerPath(dir, CUDA)
	stubProvider(t, path, "1.31.1", "libcuda.so.1", "libcublas.so.13", "libcudart.so.13", "libodd.so.2")
	touch(t, providerPath(dir, "Shared"))
	old := t.TempDir()
	stubProvider(t, providerPath(old, CUDA), "1.28.0", "libcublas.so.12", "libcudart.so.12", "libcudnn.so.9")
	all := []string{"libcuda.so.1", "libcublas.so.13", "libcudart.so.13", "libodd.so.2", "libcudnn.so.9"}
	h100 := []cudaDevice{{"NVIDIA H100", 80 << 30, 9, 0}}
	without := func(names ...string) []string {
		return slices.DeleteFunc(slices.Clone(all), func(n string) bool { return slices.Contains(names, n) })
	}
	for name, c := range map[string]struct {
		m    machine
		dir  string
		want []string // what is lacking, each with what to do, in order
	}{
		"all there": {having(&cudaDriver{13000, "", h100}, all...), dir, nil},
		"no driver": {having(nil, without("libcuda.so.1")...), dir, []string{"NVIDIA driver: libcuda.so.1 cannot be loaded; install NVIDIA's driver"}},
		"another CUDA": {having(&cudaDriver{13000, "", h100}, append(without("libcublas.so.13", "libcudart.so.13"), "libcudart.so.12")...), dir,
			[]string{"CUDA 13: libcublas.so.13, libcudart.so.13 cannot be loaded; this machine has CUDA 12; install CUDA 13's"}},
		"old CUDA": {having(&cudaDriver{13000, "", h100}, append(without("libcudart.so.13"), "libcudart.so.11.0")...), dir, []string{"this machine has CUDA 11; "}},
		"old driver": {having(&cudaDriver{12040, "", h100}, all...), dir,
			[]string{"NVIDIA driver: it supports CUDA 12.4 at most, the provider is for CUDA 13; install a driver for CUDA 13 (580 or newer), or a provider for CUDA 12"}},
		"no device":      {having(&cudaDriver{version: 13000}, all...), dir, []string{"NVIDIA driver: it sees no device; "}},
		"driver trouble": {having(&cudaDriver{13000, "CUDA error 802: system not yet initialized", nil}, all...), dir, []string{"NVIDIA driver: CUDA error 802: system not yet"}},
		"no cuDNN":       {having(&cudaDriver{13000, "", h100}, without("libcudnn.so.9")...), dir, []string{"cuDNN: libcudnn.so.9 cannot be loaded; models with convolutions need it; install cuDNN 9"}},
		"other":          {having(&cudaDriver{13000, "", h100}, without("libodd.so.2")...), dir, []string{"libodd.so.2 cannot be loaded; "}},
		"nothing":        {having(nil), dir, []string{"NVIDIA driver: ", "CUDA 13: libcublas.so.13, libcudart.so.13 cannot", "cuDNN: ", "libodd.so.2 "}},
		"cuDNN needed": {having(nil, "libcublas.so.12", "libcudart.so.12"), old,
			[]string{"libonnxruntime_providers_shared.so is not in " + old, "cuDNN: libcudnn.so.9 cannot be loaded; install"}},
		"no provider": {having(nil), t.TempDir(), []string{"its library libonnxruntime_providers_cuda.so is not in "}},
	} {
		lacks := c.m.lacking(CUDA, c.dir)
		if len(lacks) != len(c.want) {
			t.Errorf("%s: %+v, want %q", name, lacks, c.want)
			continue
		}
		for i, l := range lacks {
			if got := l.what + "; " + l.fix; !strings.HasPrefix(got, c.want[i]) && !strings.Contains(got, c.want[i]) {
				t.Errorf("%s: %s, want %s", name, got, c.want[i])
			}
			if l.optional != (name == "no cuDNN" || name == "nothing" && i == 2) {
				t.Errorf("%s: %+v", name, l)
			}
		}
	}
	if lacks := having(nil).lacking(CPU, dir); len(lacks) != 0 {
		t.Error(lacks)
	}
	if err := os.WriteFile(path, []byte("text"), 0o644); err != nil {
		t.Fatal(err)
	}
	if lacks := having(nil).lacking(CUDA, dir); len(lacks) != 1 || !strings.Contains(lacks[0].what, "not an ELF library") {
		t.Error(lacks)
	}
}

func TestProviderVersion(t *testing.T) {
	path := filepath.Join(t.TempDir(), "libonnxruntime_providers_cuda.so")
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	filler := strings.Repeat("\x001.2.3\x00", 1<<18) // more than a piece that is read at once
	for text, want := range map[string]string{
		filler + "1.31.1\x00" + filler:  "",
		"VERS_1.31.1\x00":               "",
		"1.30.0\x00 1.31.1\x00":         "",
		filler[:1<<20-3] + "1.31.1\x00": "", // across two pieces
		"1.31.1":                        "is of another version",
		"11.31.1\x00":                   "is of another version",
		"1.31.1.2\x00":                  "is of another version",
		"1.14.0\x00":                    "is of another version",
		filler + "1.30.0\x001.29.1\x00": "libonnxruntime_providers_cuda.so is of 1.30.0 or 1.29.1, ONNX Runtime's own library of 1.31.1",
		strings.Repeat("1.30.0\x001.30.1\x00", 1<<16): "is of 1.30.0 or 1.30.1,",
	} {
		write(text)
		err := checkProviderVersion(path, CUDA, "1.31.1")
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v, want %q", text, err, want)
		}
	}
	write("no version")
	if err := checkProviderVersion(path, "TensorrtExecutionProvider", "1.31.1"); err != nil {
		t.Error(err)
	}
	if err := checkProviderVersion(path+".none", CUDA, "1.31.1"); err == nil {
		t.Error("no error")
	}
}
