package runtime

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// ErrOption is in every error of an option that the provider asked for does not have.
var ErrOption = errors.New("provider option")

// convSearch and enableCapture are options of CUDA.
const (
	convSearch    = "cudnn_conv_algo_search"
	enableCapture = "enable_cuda_graph"
)

// captureAnywhere has sessions that capture do all but the recording on every provider: tests set it, with ownMemory.
var captureAnywhere = false

// CUDA is the full name of the provider for NVIDIA's devices.
const CUDA = "CUDAExecutionProvider"

// The providers that know an option of DeviceOptions.
var (
	hasDeviceID = []string{CUDA, "TensorrtExecutionProvider", "NvTensorRTRTXExecutionProvider", "MIGraphXExecutionProvider",
		"DmlExecutionProvider", "CANNExecutionProvider"}
	hasMemoryLimit = []string{CUDA}
)

// ConvSearches are the values of DeviceOptions.ConvSearch.
var ConvSearches = []string{"exhaustive", "heuristic", "default"}

// providerOptions are ONNX Runtime's own options of a provider by its full name. TF32 is off unless asked for: ONNX Runtime
// has it on, and results then depart from the CPU's in the third digit.
func (o DeviceOptions) providerOptions(provider string) (map[string]string, error) {
	options := map[string]string{}
	for _, named := range []struct {
		key, value string
		given      bool
		has        []string
	}{
		{"device_id", strconv.Itoa(o.ID), o.ID != 0, hasDeviceID},
		{"gpu_mem_limit", strconv.FormatInt(o.MemoryLimit, 10), o.MemoryLimit != 0, hasMemoryLimit},
		{"use_tf32", "1", o.TF32, []string{CUDA}},
		{convSearch, strings.ToUpper(o.ConvSearch), o.ConvSearch != "", []string{CUDA}},
	} {
		if !named.given {
			continue
		}
		if !slices.Contains(named.has, provider) {
			return nil, fmt.Errorf("%w: %s takes no %s", ErrOption, oneLine(provider), named.key)
		}
		options[named.key] = named.value
	}
	if o.ID < 0 || o.MemoryLimit < 0 {
		return nil, fmt.Errorf("%w: device_id %d and gpu_mem_limit %d must not be negative", ErrOption, o.ID, o.MemoryLimit)
	}
	if o.ConvSearch != "" && !slices.Contains(ConvSearches, o.ConvSearch) {
		return nil, fmt.Errorf("%w: cudnn_conv_algo_search %s: there are %s", ErrOption, oneLine(o.ConvSearch), strings.Join(ConvSearches, ", "))
	}
	if len(o.Other) > 0 && provider == CPU {
		return nil, fmt.Errorf("%w: %s takes no %s", ErrOption, provider, oneLine(slices.Sorted(maps.Keys(o.Other))[0]))
	}
	if _, given := options["use_tf32"]; provider == CUDA && !given {
		options["use_tf32"] = "0"
	}
	maps.Copy(options, o.Other)
	return options, nil
}

// providerOptions are the provider's own, with those that capturing and determinism ask for.
func (o Options) providerOptions(provider string) (map[string]string, error) {
	if o.Deterministic && provider == CUDA && o.Device.ConvSearch == "" {
		o.Device.ConvSearch = "heuristic"
	}
	options, err := o.Device.providerOptions(provider)
	search := strings.ToLower(options[convSearch])
	switch _, given := options[enableCapture]; {
	case err != nil:
		return nil, err
	case o.Deterministic && search != "" && search != "heuristic" && search != "default":
		return nil, fmt.Errorf("%w: %s %s times algorithms, which is not deterministic", ErrOption, convSearch, oneLine(search))
	case given:
		return nil, fmt.Errorf("%w: %s has every run repeat the numbers of the first one: --cuda-graphs feeds what is recorded", ErrOption, enableCapture)
	case o.Capture && provider == CUDA:
		options[enableCapture] = "1"
	case o.Capture && !captureAnywhere:
		return nil, fmt.Errorf("%w: %s takes no CUDA graphs", ErrOption, oneLine(provider))
	}
	return options, nil
}

// deviceID is the device that options choose.
func deviceID(options map[string]string) (int, error) {
	text, given := options["device_id"]
	if !given {
		return 0, nil
	}
	id, err := strconv.Atoi(text)
	if err != nil || id < 0 {
		return 0, fmt.Errorf("%w: device_id %s is no device's number", ErrOption, oneLine(text))
	}
	return id, nil
}
