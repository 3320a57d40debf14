package runtime

import "graft/onnx"

// Options say where and how a model runs. The zero value is the CPU with all threads and all optimizations.
type Options struct {
	Library  string        // ONNX Runtime's shared library; empty: looked up, see FindLibrary
	Provider string        // "cpu" (default), "cuda", ...: short or full name
	Device   DeviceOptions // of the provider
	Capture  bool          // CUDA: a State's steps are recorded and replayed (CUDA graphs); OpenSteps alone takes it
	// Deterministic has runs on machines of a kind give the same bits: no sum in the order in which threads end, no algorithm that is
	// chosen by trial. On the CPU that is so without.
	Deterministic bool
	Strict        bool              // refuse a model of which the provider leaves operators to the CPU
	Threads       int               // threads within an operator; 0: all
	Optimization  OptLevel          // graph optimizations before the first run
	Config        map[string]string // ONNX Runtime's session configuration entries
	CustomOps     []string          // libraries of custom operators, trusted as the program itself
	Profile       string            // beginning of the path at which closing the session writes the times of its nodes; see ReadProfile
	Save          string            // path at which opening the session writes the model in ONNX Runtime's own format; see WriteORT
	Verbose       bool              // let ONNX Runtime write warnings to stderr
	Log           func(string)      // told before something slow happens, such as fetching the library; may be nil
	Placed        func(Placement)   // told of each session that is opened, where its nodes run; may be nil
}

// DeviceOptions are a provider's, under the names that ONNX Runtime gives them. An option that the provider does not have
// is an ErrOption.
type DeviceOptions struct {
	ID          int               // device_id
	MemoryLimit int64             // gpu_mem_limit in bytes; 0: none
	TF32        bool              // use_tf32: products of float32 with 10 bits of mantissa
	ConvSearch  string            // cudnn_conv_algo_search: "exhaustive", "heuristic", "default"; empty: ONNX Runtime's choice
	Other       map[string]string // any other, as key and value; they come before those above
}

// OptLevel is how far ONNX Runtime rewrites a graph when it opens it.
type OptLevel int

// The levels, the default first.
const (
	OptimizeAll OptLevel = iota
	OptimizeNone
	OptimizeBasic
	OptimizeExtended
)

// Port is an input or output of a session. Type.DType is Undefined for what is no tensor (a sequence, a map).
type Port struct {
	Name string
	Type onnx.TensorType
}

// Link says that an output of one step is an input of the next.
type Link struct {
	Output, Input string
	// InPlace has the output written over the input, so that the state is kept once and not twice. The node that makes the
	// output must be the last to read the input, element by element; a Scan that reads and makes it block by block is such a
	// node. A step that writes in place is not interrupted, and one that fails leaves no state. The initial value becomes the
	// state itself, not a copy.
	InPlace bool
	// Grows has the shape change from step to step: ONNX Runtime allocates the output anew, and the value itself is the next
	// step's input.
	Grows bool
}
