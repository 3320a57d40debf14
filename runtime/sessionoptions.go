//go:build cgo

package runtime

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	ort "github.com/yalue/onnxruntime_go"
)

// provider checks that the loaded library has the provider asked for.
func (e *environment) provider(o Options) (string, error) {
	name := ProviderName(o.Provider)
	if slices.Contains(e.providers, name) {
		return name, nil
	}
	return "", &MissingError{
		What: fmt.Sprintf("open session: %s is not in ONNX Runtime %s at %s, which has %s",
			oneLine(name), e.library.Version, e.library.Path, strings.Join(e.providers, ", ")),
		Fix: howToGet(name),
	}
}

// thisMachine is where sessions run.
var thisMachine = machine{loadable, func() (*cudaDriver, error) { return readDriver("libcuda.so.1") }}

// checkProvider finds what ONNX Runtime would crash on, or say less well: a provider's library of another version, and a
// device that there is not.
func (e *environment) checkProvider(provider string, options map[string]string) error {
	dir := filepath.Dir(e.library.Path)
	if path := providerLibrary(dir, provider); path != "" && hasOwnLibrary[provider] && e.library.Source != "cache" {
		check, _ := e.versions.LoadOrStore(path, sync.OnceValue(func() error { return checkProviderVersion(path, provider, e.library.Version) }))
		if err := check.(func() error)(); err != nil {
			return &MissingError{What: fmt.Sprintf("open session: %v", err), Fix: howToGet(provider)}
		}
	}
	if provider != CUDA && provider != "TensorrtExecutionProvider" {
		return nil
	}
	id, err := deviceID(options)
	if err != nil {
		return err
	}
	driver, err := thisMachine.driver()
	if err == nil && len(driver.devices) > 0 && id >= len(driver.devices) {
		return noDevice(provider, id, driver)
	}
	return nil // of a machine without devices, the provider's start tells more
}

// A thread that waits for work spins this long and then sleeps. Without a bound (the default of ONNX Runtime) a training
// step of 25 ms takes 60 to 200 ms on two threads as soon as other programs want the cores, for whoever spins takes the
// core from whom it waits for. Runtimes that do not know the entry ignore it.
const (
	spinDuration     = "session.intra_op.spin_duration_us"
	spinMicroseconds = "200"
)

const saveFormat = "session.save_model_format"

// A memory pattern is a block in which ONNX Runtime lays the intermediates of a run out once it has seen one. It comes on top
// of what that first run has left in the arena: without it a training step takes as long (three rounds of four networks) and
// its peak is 402 MiB for 558 (BERT-Mini, batch 8), 73 for 128 (a CNN, batch 64), 65 for 99 (hourglass), 15 for 22 (MLP).

// sessionOptions turns o into the binding's options. provider is a full name.
func (e *environment) sessionOptions(o Options, provider string) (_ *ort.SessionOptions, err error) {
	ofProvider, err := o.providerOptions(provider)
	if err != nil {
		return nil, fmt.Errorf("open session: %w", err)
	}
	if err := e.checkProvider(provider, ofProvider); err != nil {
		return nil, err
	}
	options, err := ort.NewSessionOptions()
	if err != nil {
		return nil, fmt.Errorf("%w: %s", ErrRuntime, oneLine(err.Error()))
	}
	defer func() {
		if err != nil {
			options.Destroy()
		}
	}()
	level, ok := map[OptLevel]ort.GraphOptimizationLevel{
		OptimizeAll:      ort.GraphOptimizationLevelEnableAll,
		OptimizeNone:     ort.GraphOptimizationLevelDisableAll,
		OptimizeBasic:    ort.GraphOptimizationLevelEnableBasic,
		OptimizeExtended: ort.GraphOptimizationLevelEnableExtended,
	}[o.Optimization]
	if !ok || o.Threads < 0 {
		return nil, fmt.Errorf("open session: no optimization level %d, or threads %d below 0", o.Optimization, o.Threads)
	}
	severity := ort.LoggingLevel(ort.LoggingLevelFatal)
	if o.Verbose {
		severity = ort.LoggingLevelWarning
	}
	steps := []func() error{
		func() error { return options.SetGraphOptimizationLevel(level) },
		func() error { return options.SetIntraOpNumThreads(o.Threads) },
		func() error { return options.SetLogSeverityLevel(severity) },
		func() error { return options.SetMemPattern(false) },
	}
	if o.Deterministic {
		steps = append(steps, func() error { return e.deterministic(pointerIn(options, "o")) })
	}
	if o.Profile != "" {
		steps = append(steps, func() error { return options.EnableProfiling(o.Profile) })
	}
	config := map[string]string{spinDuration: spinMicroseconds}
	if provider != CPU {
		config[recordAssignments] = "1"
	}
	if o.Save != "" {
		steps = append(steps, func() error { return options.SetOptimizedModelFilePath(o.Save) })
		config[saveFormat] = "ORT"
	}
	maps.Copy(config, o.Config)
	for _, key := range slices.Sorted(maps.Keys(config)) {
		steps = append(steps, func() error { return options.AddSessionConfigEntry(key, config[key]) })
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return nil, fmt.Errorf("%w: set session options: %s", ErrRuntime, oneLine(err.Error()))
		}
	}
	for _, path := range o.CustomOps {
		if err := options.RegisterCustomOpsLibrary(path); err != nil {
			return nil, &MissingError{What: fmt.Sprintf("load custom operators from %s: %s", oneLine(path), oneLine(err.Error()))}
		}
	}
	if err := appendProvider(options, provider, ofProvider); err != nil {
		return nil, thisMachine.startError(err, provider, filepath.Dir(e.library.Path), ofProvider)
	}
	return options, nil
}

// appendProvider adds a provider by full name.
func appendProvider(options *ort.SessionOptions, provider string, with map[string]string) error {
	switch provider {
	case CPU:
		return nil
	case CUDA:
		cuda, err := ort.NewCUDAProviderOptions()
		if err != nil {
			return err
		}
		defer cuda.Destroy()
		if err := cuda.Update(with); err != nil {
			return err
		}
		return options.AppendExecutionProviderCUDA(cuda)
	case "TensorrtExecutionProvider":
		tensorrt, err := ort.NewTensorRTProviderOptions()
		if err != nil {
			return err
		}
		defer tensorrt.Destroy()
		if err := tensorrt.Update(with); err != nil {
			return err
		}
		return options.AppendExecutionProviderTensorRT(tensorrt)
	case "DmlExecutionProvider":
		device, err := deviceID(with)
		if err != nil {
			return err
		}
		return options.AppendExecutionProviderDirectML(device)
	}
	return options.AppendExecutionProvider(provider, with)
}
