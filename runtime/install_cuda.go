package runtime

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

const fixPair = "name the wheel of onnxruntime-gpu, or a folder with the provider and the library that it was built with"

// chooseCUDA picks the provider for CUDA with what it needs of ONNX Runtime: the library of the same version, which may lie in
// another folder, and the file that ties the two. Other providers beside it come along.
func chooseCUDA(files []found) ([]found, error) {
	cudaName, sharedName := filepath.Base(providerPath("", CUDA)), filepath.Base(providerPath("", "Shared"))
	var cuda []found
	var wrong error
	for _, f := range files {
		if f.name != cudaName {
			continue
		}
		if err := checkFormat(f.path); err != nil {
			wrong = fmt.Errorf("%s: %w", f.name, err)
			continue
		}
		cuda = append(cuda, f)
	}
	switch {
	case len(cuda) == 0 && wrong != nil:
		return nil, wrong
	case len(cuda) == 0:
		return nil, fmt.Errorf("there is no %s in it", cudaName)
	}
	libraries, err := librariesOf(files)
	if err != nil {
		return nil, fmt.Errorf("%s is there without ONNX Runtime's own library: %w", cudaName, err)
	}
	for _, provider := range cuda {
		beside := func(l found) bool { return l.dir == provider.dir }
		slices.SortStableFunc(libraries, func(a, b found) int {
			switch {
			case beside(a) == beside(b):
				return 0
			case beside(a):
				return -1
			}
			return 1
		})
		for _, library := range libraries {
			version, problem := versionOfPair(library, provider)
			if version == "" {
				err = errors.Join(err, problem)
				continue
			}
			others := providersIn(files, provider.dir)
			if !slices.ContainsFunc(others, func(f found) bool { return f.name == sharedName }) {
				return nil, fmt.Errorf("%s is there without %s", cudaName, sharedName)
			}
			return append([]found{library}, others...), nil
		}
	}
	first, _, _ := strings.Cut(err.Error(), "\n")
	return nil, errors.New(first)
}

// versionOfPair is the version that a library and a provider both carry.
func versionOfPair(library, provider found) (string, error) {
	versions, err := versionsIn(library.path, "")
	if err != nil {
		return "", pathReason(err)
	}
	err = fmt.Errorf("%s does not say its version", library.name)
	for _, v := range versions {
		if err = checkProviderVersion(provider.path, CUDA, v); err == nil {
			return v, nil
		}
	}
	return "", err
}

// checkCUDA says whether the library in dir, of a version, takes the provider for CUDA that lies beside it.
func checkCUDA(dir, version string) error {
	if version == "" {
		return nil // this build cannot load it
	}
	if err := checkProviderVersion(providerPath(dir, CUDA), CUDA, version); err != nil {
		return err
	}
	providers, err := probeProviders(filepath.Join(dir, libraryName()))
	if err == nil && !slices.Contains(providers, CUDA) {
		err = fmt.Errorf("its %s is built without %s (it has %s)", libraryName(), CUDA, strings.Join(providers, ", "))
	}
	return err
}
