package runtime

import "strings"

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
