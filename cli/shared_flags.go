package cli

import (
	"math"

	"github.com/urfave/cli/v2"

	"graft/runtime"
)

// Headings of the help, in this order after the verb's own flags.
const (
	sectionOutput = "Output"
	sectionRun    = "Run"
	sectionDevice = "Device"
	sectionModel  = "Model files"
)

// common holds the values of the flags that every verb takes.
type common struct {
	Out           string            // --out; empty when not given
	JSON          bool              // --json
	Force         bool              // --force
	DryRun        bool              // --dry-run (verbs that write)
	Seed          uint64            // --seed
	Threads       int               // --threads; 0: all
	Provider      string            // --provider, "cpu" by default
	ORTLib        string            // --ort-lib; empty: search
	DeviceID      int               // --device-id (verbs that run a model, as the next five)
	MemoryLimit   int64             // --gpu-mem-limit in bytes; 0: none
	TF32          bool              // --use-tf32
	ConvSearch    string            // --cudnn-conv-algo-search; empty: ONNX Runtime's choice
	ProviderOpts  map[string]string `json:",omitempty"` // --provider-option
	Strict        bool              // --strict-provider
	CUDAGraphs    bool              // --cuda-graphs (verbs that train, as the next)
	Deterministic bool              // --deterministic
	Quiet         bool              // --quiet
	Verbose       bool              // --verbose
	Isolate       bool              // --isolate (verbs with a model)
	AllowExternal []string          // --allow-external (verbs with a model)
	CustomOpLibs  []string          // --custom-op-lib (verbs with a model)
}

// maxThreads bounds --threads: more is a slip of the pen.
const maxThreads = 1024

// commonFlags returns the flags of every verb and of the verb's groups.
func commonFlags(g group) []cli.Flag {
	out := "where the result goes"
	if g&writes == 0 {
		out = "keep a copy of what is printed in PATH"
	}
	flags := []cli.Flag{
		text("out", "PATH", out).alias("o").under(sectionOutput),
		toggle("json", "print one JSON document on stdout").under(sectionOutput),
		toggle("force", "replace existing files").under(sectionOutput),
	}
	if g&writes != 0 {
		flags = append(flags, toggle("dry-run", "say what would be written, write nothing").alias("n").under(sectionOutput))
	}
	flags = append(flags,
		toggle("quiet", "no progress, no messages").under(sectionOutput),
		toggle("verbose", "more messages; progress lines when stderr is not a terminal").under(sectionOutput),
		integer("seed", "N", 0, math.MaxInt64, 0, "seed of everything random").under(sectionRun),
		integer("threads", "N", 0, maxThreads, 0, "threads; 0: all").under(sectionRun),
		provider().under(sectionRun),
		text("ort-lib", "FILE", "the ONNX Runtime library to load").under(sectionRun),
	)
	if g&writesModel != 0 {
		flags = append(flags, externalFlags()...)
	}
	if g&runsModel != 0 {
		flags = append(flags,
			integer("device-id", "N", 0, 1023, 0, "the provider's device, as graft runtime info numbers them").under(sectionDevice),
			memory("gpu-mem-limit", "SIZE", "device memory the provider may take: 4GiB, 512MiB or bytes (default all)").under(sectionDevice),
			toggle("use-tf32", "multiply float32 with TF32's 10 bits of mantissa, on devices that can").under(sectionDevice),
			choice("cudnn-conv-algo-search", "", "how cuDNN looks for a convolution's algorithm", runtime.ConvSearches...).under(sectionDevice),
			pairs("provider-option", "an option of the provider under ONNX Runtime's own name; repeatable").under(sectionDevice),
			toggle("strict-provider", "refuse a model of which the provider leaves operators to the CPU").under(sectionDevice),
		)
	}
	if g&trains != 0 {
		flags = append(flags,
			toggle("cuda-graphs", "CUDA: record the launches of a training step and repeat them as one; for networks without loops").under(sectionDevice),
			toggle("deterministic", "the same bits on every machine of a kind: no algorithm chosen by trial, no sum in the order that threads end").under(sectionDevice),
		)
	}
	if g&(readsModel|runsModel) != 0 {
		flags = append(flags,
			toggle("isolate", "do the work in a child process with resource limits").under(sectionModel),
			repeated("allow-external", "DIR", "folder that external tensor data may come from; repeatable").under(sectionModel),
			repeated("custom-op-lib", "FILE", "library of custom operators; repeatable").under(sectionModel),
		)
	}
	return flags
}

// readCommon collects the common values of a parsed line. Flags that the
// verb's groups leave out keep their zero values.
func readCommon(p *cli.Context) common {
	c := common{
		Out: parsed[string](p, "out"), JSON: parsed[bool](p, "json"), Force: parsed[bool](p, "force"),
		DryRun: parsed[bool](p, "dry-run"), Seed: uint64(parsed[int64](p, "seed")), Threads: int(parsed[int64](p, "threads")),
		Provider: parsed[string](p, "provider"), ORTLib: parsed[string](p, "ort-lib"),
		Quiet: parsed[bool](p, "quiet"), Verbose: parsed[bool](p, "verbose"), Isolate: parsed[bool](p, "isolate"),
		AllowExternal: parsed[[]string](p, "allow-external"), CustomOpLibs: parsed[[]string](p, "custom-op-lib"),
		DeviceID: int(parsed[int64](p, "device-id")), MemoryLimit: parsed[int64](p, "gpu-mem-limit"), TF32: parsed[bool](p, "use-tf32"),
		ConvSearch: parsed[string](p, "cudnn-conv-algo-search"), ProviderOpts: parsed[map[string]string](p, "provider-option"),
		Strict: parsed[bool](p, "strict-provider"), CUDAGraphs: parsed[bool](p, "cuda-graphs"),
		Deterministic: parsed[bool](p, "deterministic"),
	}
	if c.Provider == "" {
		c.Provider = "cpu"
	}
	return c
}

// parsed returns the value of a flag, or the zero value where the verb has no such flag.
func parsed[T any](p *cli.Context, name string) T {
	v, _ := p.Value(name).(T)
	return v
}
