package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"graft/runtime"
)

var runtimeVerb = verb{
	name: "runtime", short: "find or install ONNX Runtime",
	subs: []verb{
		{
			name: "info", short: "say which ONNX Runtime is used, and what it can do",
			long: "Looks at --ort-lib, GRAFT_ORT_LIB, beside the binary, in graft's cache, in the system's folders and in the Go module\n" +
				"cache, and loads what it finds. Nothing is fetched. Without a library the exit code is 4.",
			examples: []string{"graft runtime info", "graft runtime info --ort-lib libonnxruntime.so --json"},
			run:      runRuntimeInfo,
		},
		{
			name: "install", short: "put ONNX Runtime into graft's cache",
			long: "From a library file, a folder that is searched, or an archive (.tgz, .zip, .whl, .nupkg); without --from, from the Go\n" +
				"module that carries it. The library is loaded once to check it: name only what you trust.",
			examples: []string{
				"graft runtime install",
				"graft runtime install --from onnxruntime-linux-x64.tgz",
				"graft runtime install --cuda --from onnxruntime_gpu-1.31.1-cp312-cp312-manylinux_2_28_x86_64.whl",
			},
			flags: []cli.Flag{
				text("from", "PATH", "library file, folder or archive"),
				toggle("cuda", "the provider for CUDA too, of the same version, or nothing"),
			},
			run: runRuntimeInstall,
		},
	},
}

func runRuntimeInfo(c *call) error {
	info, err := runtime.Info(c.runtimeOptions())
	if err != nil {
		return runtimeFailure(err)
	}
	c.JSON(info)
	t := table{}
	t.Add("library", info.Library)
	t.Add("found by", info.Source)
	t.Add("version", info.Version)
	t.Add("API", info.API)
	t.Add("providers", strings.Join(info.Providers, ", "))
	for i, d := range info.Devices {
		head := ""
		if i == 0 {
			head = "devices"
		}
		t.Add(head, deviceText(d))
	}
	c.Table(t)
	for _, m := range info.Missing {
		c.Print("missing: %s", m)
	}
	return nil
}

// deviceText is "gpu NVIDIA H100, device_id 0, 85.5 GB, compute capability 9.0 (CUDAExecutionProvider)".
func deviceText(d runtime.Device) string {
	name := strings.TrimSpace(d.Vendor + " " + strings.TrimSpace(strings.TrimPrefix(d.Name, d.Vendor)))
	text := strings.TrimSpace(d.Kind + " " + name)
	if d.ID != nil {
		text += fmt.Sprintf(", device_id %d", *d.ID)
	}
	if d.Memory > 0 {
		text += ", " + size(d.Memory)
	}
	if d.Capability != "" {
		text += ", compute capability " + d.Capability
	}
	return text + " (" + d.Provider + ")"
}

func runRuntimeInstall(c *call) error {
	if c.Bool("cuda") && c.Text("from") == "" {
		return misuse("--cuda goes with --from: the wheel of onnxruntime-gpu, for one (pip download --no-deps onnxruntime-gpu)")
	}
	library, err := runtime.Install(runtime.InstallOptions{From: c.Text("from"), CUDA: c.Bool("cuda"), Log: func(s string) { c.Say("%s", s) }})
	if err != nil {
		return runtimeFailure(err)
	}
	c.JSON(struct {
		Library string `json:"library"`
		Version string `json:"version"`
		Source  string `json:"source"`
	}{library.Path, library.Version, library.Source})
	c.Print("ONNX Runtime %s is in %s", library.Version, library.Path)
	return nil
}

// runtimeFailure is an error of finding or installing a library: always the environment's.
func runtimeFailure(err error) error {
	var missing *runtime.MissingError
	if errors.As(err, &missing) {
		return missingError(missing)
	}
	return environment(err, "")
}
