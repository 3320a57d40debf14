package runtime

import (
	"cmp"
	"os"
	"path/filepath"
	"regexp"
	goruntime "runtime"
	"strconv"
	"strings"
)

// libraryName is what the library is called on this system.
func libraryName() string {
	switch goruntime.GOOS {
	case "windows":
		return "onnxruntime.dll"
	case "darwin":
		return "libonnxruntime.dylib"
	}
	return "libonnxruntime.so"
}

var libraryNames = map[string]*regexp.Regexp{
	"windows": regexp.MustCompile(`(?i)^onnxruntime\.dll$`),
	"darwin":  regexp.MustCompile(`^libonnxruntime(\.\d+){0,4}\.dylib$`),
	"linux":   regexp.MustCompile(`^libonnxruntime\.so(\.\d+){0,4}$`),
}

var providerLibraryNames = map[string]*regexp.Regexp{
	"windows": regexp.MustCompile(`(?i)^onnxruntime_providers_[a-z0-9_]{1,32}\.dll$`),
	"darwin":  regexp.MustCompile(`^libonnxruntime_providers_[a-z0-9_]{1,32}\.dylib$`),
	"linux":   regexp.MustCompile(`^libonnxruntime_providers_[a-z0-9_]{1,32}\.so$`),
}

func ofSystem(names map[string]*regexp.Regexp) *regexp.Regexp {
	if re, ok := names[goruntime.GOOS]; ok {
		return re
	}
	return names["linux"]
}

// isLibraryName reports whether a file may be the library; the version may be in the name.
func isLibraryName(name string) bool { return ofSystem(libraryNames).MatchString(name) }

// isProviderLibraryName reports whether a file may be a provider that the library loads from its own folder.
func isProviderLibraryName(name string) bool { return ofSystem(providerLibraryNames).MatchString(name) }

// providerLibrary is the file in dir that a provider lives in, empty when there is none.
func providerLibrary(dir, provider string) string {
	if provider == CPU {
		return ""
	}
	path := providerPath(dir, provider)
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		return ""
	}
	return path
}

// providerPath is where in dir a provider's file would be.
func providerPath(dir, provider string) string {
	return filepath.Join(dir, strings.Replace(libraryName(), "onnxruntime", "onnxruntime_providers_"+shortName(provider), 1))
}

// byPlainThenNewest orders library names.
func byPlainThenNewest(a, b string) int {
	if n := cmp.Compare(strings.Count(a, "."), strings.Count(b, ".")); n != 0 && (a == libraryName() || b == libraryName()) {
		return n
	}
	return compareVersions(b, a)
}

var digits = regexp.MustCompile(`\d+`)

// compareVersions compares the numbers in two names, one after the other, then the names.
func compareVersions(a, b string) int {
	x, y := digits.FindAllString(a, 8), digits.FindAllString(b, 8)
	for i := range min(len(x), len(y)) {
		m, err1 := strconv.Atoi(x[i])
		n, err2 := strconv.Atoi(y[i])
		if err1 != nil || err2 != nil {
			break
		}
		if c := cmp.Compare(m, n); c != 0 {
			return c
		}
	}
	return cmp.Or(cmp.Compare(len(x), len(y)), strings.Compare(a, b))
}
