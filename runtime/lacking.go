package runtime

import (
	"debug/elf"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// lack is something that a provider needs and that this machine does not have.
type lack struct {
	what     string // "NVIDIA driver: libcuda.so.1 cannot be loaded"
	fix      string
	optional bool // some models run without it
}

const (
	fixProvider = "graft runtime install --cuda --from FILE, such as the wheel of onnxruntime-gpu"
	fixCuDNN    = "install cuDNN 9 (PyPI: nvidia-cudnn-cu12 or -cu13) and name its folder in LD_LIBRARY_PATH"
)

// howToGet is what to do when a library does not have a provider.
func howToGet(provider string) string {
	switch provider {
	case CUDA, "TensorrtExecutionProvider":
		return fixProvider + ", or --ort-lib FILE with a library that has it, or --provider cpu"
	case "ROCMExecutionProvider":
		return "ONNX Runtime has had none since 1.23: use --provider migraphx for AMD's devices"
	}
	return "name a library that has it with --ort-lib FILE, or use --provider cpu"
}

// machine is what a provider meets: whether the loader finds a library of a name, and NVIDIA's driver.
type machine struct {
	loadable func(name string) error
	driver   func() (*cudaDriver, error)
}

// lacking lists what a provider needs that is not there: its own library beside ONNX Runtime's in dir, the libraries that the
// loader has to find for it, and a driver that runs it.
func (m machine) lacking(provider, dir string) (lacks []lack) {
	if !hasOwnLibrary[provider] {
		return nil
	}
	path := providerLibrary(dir, provider)
	if path == "" {
		return []lack{{what: fmt.Sprintf("its library %s is not in %s", filepath.Base(providerPath(dir, provider)), dir), fix: howToGet(provider)}}
	}
	if shared := providerLibrary(dir, "Shared"); shared == "" {
		lacks = append(lacks, lack{what: fmt.Sprintf("%s is not in %s", filepath.Base(providerPath(dir, "Shared")), dir), fix: howToGet(provider)})
	}
	needed, err := neededLibraries(path)
	if err != nil {
		return append(lacks, lack{what: fmt.Sprintf("%s: %v", path, err), fix: howToGet(provider)})
	}
	var toolkit, cudnn, other []string
	for _, name := range needed {
		err := m.loadable(name)
		if err == nil {
			continue
		}
		switch {
		case strings.HasPrefix(name, "libcuda.so"):
			lacks = append(lacks, noDriver(name, err))
		case strings.HasPrefix(name, "libcudnn"):
			cudnn = append(cudnn, name)
		case isToolkit.MatchString(name):
			toolkit = append(toolkit, name)
		default:
			other = append(other, name)
		}
	}
	major := cudaMajor(needed)
	if d, err := m.driver(); err == nil && major > 0 {
		if l := d.lackingDriver(major); l != nil {
			lacks = append(lacks, *l)
		}
	}
	if len(toolkit) > 0 {
		lacks = append(lacks, m.noToolkit(major, toolkit))
	}
	optional := provider == CUDA && !slices.ContainsFunc(needed, func(n string) bool { return strings.HasPrefix(n, "libcudnn") })
	if optional && m.loadable("libcudnn.so.9") != nil { // loaded when a model first needs it
		cudnn = append(cudnn, "libcudnn.so.9")
	}
	if len(cudnn) > 0 {
		what := "cuDNN: " + listed(cudnn) + " cannot be loaded"
		if optional {
			what += "; models with convolutions need it"
		}
		lacks = append(lacks, lack{what, fixCuDNN, optional})
	}
	if len(other) > 0 {
		lacks = append(lacks, lack{what: listed(other) + " cannot be loaded", fix: "install what has it, and name its folder in LD_LIBRARY_PATH"})
	}
	return lacks
}

// hasOwnLibrary are the providers that live in a file beside ONNX Runtime's own.
var hasOwnLibrary = map[string]bool{CUDA: true, "TensorrtExecutionProvider": true, "MIGraphXExecutionProvider": true,
	"OpenVINOExecutionProvider": true}

// isToolkit matches the CUDA toolkit's libraries.
var isToolkit = regexp.MustCompile(`^lib(cudart|cublas|cublasLt|cufft|curand|cusparse|cusolver|nvrtc|nvJitLink)\.so`)

func noDriver(name string, err error) lack {
	l := lack{what: fmt.Sprintf("NVIDIA driver: %s cannot be loaded", name), fix: "install NVIDIA's driver"}
	if version := kernelDriver(); version != "" {
		l.what = fmt.Sprintf("NVIDIA driver: the kernel has %s, but %s cannot be loaded", version, name)
		l.fix = "start the container with the driver's libraries (--gpus all), or name their folder in LD_LIBRARY_PATH"
	}
	return l
}

// noToolkit tells a machine without CUDA from one with another major version.
func (m machine) noToolkit(major int, names []string) lack {
	l := lack{what: fmt.Sprintf("CUDA %d: %s cannot be loaded", major, listed(names)),
		fix: fmt.Sprintf("install CUDA %d's libraries (the toolkit, or PyPI: nvidia-cublas, nvidia-cuda-runtime, nvidia-curand, nvidia-cufft) and name their folder in LD_LIBRARY_PATH", major)}
	for other := major + 2; other >= 11; other-- {
		name := "libcudart.so." + strconv.Itoa(other)
		if other == 11 {
			name += ".0"
		}
		if other != major && m.loadable(name) == nil {
			l.what += fmt.Sprintf("; this machine has CUDA %d", other)
			l.fix += fmt.Sprintf(", or install a provider for CUDA %d", other)
			break
		}
	}
	return l
}

// cudaMajor is the CUDA that a provider was built for, 0 when it names none.
func cudaMajor(needed []string) int {
	for _, prefix := range []string{"libcudart.so.", "libcublas.so."} {
		for _, name := range needed {
			if rest, ok := strings.CutPrefix(name, prefix); ok {
				major, _, _ := strings.Cut(rest, ".")
				n, _ := strconv.Atoi(major)
				return n
			}
		}
	}
	return 0
}

// neededLibraries are the libraries that a library names for the loader; none on systems whose format is not ELF.
func neededLibraries(path string) ([]string, error) {
	f, err := elf.Open(path)
	if err != nil {
		if strings.HasSuffix(path, ".so") {
			return nil, fmt.Errorf("not an ELF library: %w", pathReason(err))
		}
		return nil, nil
	}
	defer f.Close()
	names, err := f.ImportedLibraries()
	if err != nil {
		return nil, fmt.Errorf("read what it needs: %w", err)
	}
	for i := range names {
		names[i] = oneLine(names[i])
	}
	return names, nil
}

func listed(names []string) string { return strings.Join(names, ", ") }
