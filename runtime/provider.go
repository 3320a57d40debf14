package runtime

import (
	"maps"
	"slices"
	"strings"
)

// providerNames are the execution providers by short name.
var providerNames = map[string]string{
	"cpu":           "CPUExecutionProvider",
	"cuda":          "CUDAExecutionProvider",
	"tensorrt":      "TensorrtExecutionProvider",
	"rocm":          "ROCMExecutionProvider",
	"migraphx":      "MIGraphXExecutionProvider",
	"openvino":      "OpenVINOExecutionProvider",
	"coreml":        "CoreMLExecutionProvider",
	"dml":           "DmlExecutionProvider",
	"directml":      "DmlExecutionProvider",
	"qnn":           "QNNExecutionProvider",
	"nnapi":         "NnapiExecutionProvider",
	"xnnpack":       "XnnpackExecutionProvider",
	"webgpu":        "WebGpuExecutionProvider",
	"dnnl":          "DnnlExecutionProvider",
	"cann":          "CANNExecutionProvider",
	"vitisai":       "VitisAIExecutionProvider",
	"nvtensorrtrtx": "NvTensorRTRTXExecutionProvider",
}

// CPU is the full name of the provider that every library has.
const CPU = "CPUExecutionProvider"

// ProviderNames are the short names, in order.
func ProviderNames() []string { return slices.Sorted(maps.Keys(providerNames)) }

// KnownProvider reports whether a name is a provider's short or full name, or may be that of one that is not known here.
func KnownProvider(name string) bool {
	lower := strings.ToLower(name)
	_, known := providerNames[strings.TrimSuffix(lower, "executionprovider")]
	return known || strings.HasSuffix(lower, "executionprovider") && len(name) > len("ExecutionProvider")
}

// shortName is the name by which a provider is asked for, for one that is known.
func shortName(provider string) string {
	return strings.ToLower(strings.TrimSuffix(provider, "ExecutionProvider"))
}

// ProviderName is the full name of a provider given by short or full name; the empty name is the CPU's. A name that is not
// known is taken as a full one.
func ProviderName(name string) string {
	if name == "" {
		return CPU
	}
	short := strings.TrimSuffix(strings.ToLower(name), "executionprovider")
	if full, ok := providerNames[short]; ok {
		return full
	}
	return name
}
