//go:build cgo

package runtime

import (
	"fmt"
	"sync"

	ort "github.com/yalue/onnxruntime_go"
)

// environment is ONNX Runtime as loaded into this process: once, from one library.
type environment struct {
	capi
	library   Library
	providers []string

	versions sync.Map // func() error by path of a provider's library: whether its version is the library's
}

var loaded struct {
	sync.Mutex
	env *environment
}

// Supported says whether this build can run models at all; a library it must still find.
func Supported() error { return nil }

// probe loads the library at path, reads its version, checks that it has the API that is needed, and unloads it.
func probe(path string) (version string, err error) {
	getAPIBase, unload, err := openLibrary(path)
	if err != nil {
		return "", err
	}
	defer unload()
	version, table := baseVersion(getAPIBase)
	return version, versionProblem(version, table != nil)
}

// probeProviders loads the library at path, lists the providers that it was built with, and unloads it.
func probeProviders(path string) ([]string, error) {
	getAPIBase, unload, err := openLibrary(path)
	if err != nil {
		return nil, err
	}
	defer unload()
	var c capi
	version, table := baseVersion(getAPIBase)
	if table == nil {
		return nil, versionProblem(version, false)
	}
	c.table = table
	return c.providers()
}

func versionProblem(version string, hasAPI bool) error {
	switch api, ok := apiOf(version); {
	case version == "":
		return fmt.Errorf("not ONNX Runtime: it has no version")
	case !ok:
		return fmt.Errorf("version %s is not understood", oneLine(version))
	case api < apiVersion:
		return fmt.Errorf("version %s is too old, 1.%d or newer is needed", version, apiVersion)
	case !hasAPI:
		return fmt.Errorf("version %s does not offer API version %d", version, apiVersion)
	}
	return nil
}

// load brings ONNX Runtime into the process on the first call; later calls give the same, or an error when they name
// another library.
func load(o Options) (*environment, error) { return loadWith(o, true) }

// loadWith is load; without fetch nothing is downloaded.
func loadWith(o Options, fetch bool) (*environment, error) {
	loaded.Lock()
	defer loaded.Unlock()
	if env := loaded.env; env != nil {
		if explicit, source := explicitLibrary(o); explicit != "" && !sameFile(explicit, env.library.Path) {
			return nil, &MissingError{
				What: fmt.Sprintf("load ONNX Runtime: %s names %s, this process already runs %s", source, explicit, env.library.Path),
				Fix:  "use one library in a process",
			}
		}
		return env, nil
	}
	library, err := newFinder(o, fetch).find(o)
	if err != nil {
		return nil, err
	}
	env := &environment{library: *library}
	getAPIBase, _, err := openLibrary(library.Path) // stays loaded
	if err != nil {
		return nil, &MissingError{What: fmt.Sprintf("load ONNX Runtime from %s: %v", library.Path, err), Fix: fixMissing}
	}
	_, env.table = baseVersion(getAPIBase)
	level := ort.WithLogLevelFatal() // every failure comes back as an error
	if o.Verbose {
		level = ort.WithLogLevelWarning()
	}
	ort.SetSharedLibraryPath(library.Path)
	if err := ort.InitializeEnvironment(level); err != nil {
		return nil, &MissingError{What: fmt.Sprintf("start ONNX Runtime from %s: %s", library.Path, oneLine(err.Error())), Fix: fixMissing}
	}
	_ = ort.DisableTelemetry() // some builds for Windows have it; others refuse
	if err := env.init(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRuntime, err)
	}
	if env.providers, err = env.capi.providers(); err != nil {
		return nil, fmt.Errorf("%w: list providers: %w", ErrRuntime, err)
	}
	loaded.env = env
	return env, nil
}
